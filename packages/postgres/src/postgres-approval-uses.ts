import type { ApprovalUses } from '@countersign/core';
import { approvalUsesIn, readOneTimeOptions } from '@countersign/stores';
import type { PgPool } from './pool.js';
import { openReservations } from './reservations.js';

/**
 * Remembers used approvals in Postgres 12 or newer, for all processes. Unlike used signatures, the table survives a crash,
 * so that what people have approved can be used after it. A database that was restored from a backup, or replaced by its
 * replica, may have lost uses: there, approvals from before count no more.
 *
 * @throws ConfigError if the database cannot be used.
 *
 * @example
 * const approvals = { issuers: [{ issuer }], uses: await postgresApprovalUses(pool) };
 */
export async function postgresApprovalUses(pool: PgPool): Promise<ApprovalUses> {
  const owner = 'postgresApprovalUses';
  const { timeoutSeconds } = readOneTimeOptions(owner, {});
  const table = 'countersign_used_approvals';
  return approvalUsesIn(await openReservations(owner, pool, { table, isLogged: true, timeoutSeconds }));
}
