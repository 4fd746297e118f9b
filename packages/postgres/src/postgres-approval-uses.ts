import type { ApprovalUses } from '@countersign/core';
import { approvalUsesIn, readOneTimeOptions } from '@countersign/stores';
import type { PgPool } from './pool.js';
import { openReservations } from './reservations.js';

/**
 * Remembers used approvals in Postgres 12 or newer, for all processes. Unlike used signatures, the table survives a crash,
 * so that what people have approved can be used after it. A database that was replaced by its replica, or restored from a
 * dump or to a point in time, may have lost uses: there, approvals from before count no more. A snapshot of its volume or
 * a copy of its folder cannot be told from the database itself: empty the table before an API starts on one.
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
