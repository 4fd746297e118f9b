import { readApprovalRequest } from '@countersign/approval';
import { parseStrictJson } from '@countersign/common';
import { agreedTime } from '../storage/clock.js';
import { type Background, inBackground } from '../storage/in-background.js';
import { required, type Row, sql, type Store, textOf } from '../storage/store.js';
import type { Trail } from '../trail/trail.js';
import { approvalEvent } from './approval-event.js';

const intervalMilliseconds = 30_000;
const atOnce = 100;

export interface ExpiryServices {
  readonly store: Store;
  readonly trail: Trail;
  readonly issuer: string;
  readonly now: () => number;
}

/** Records each request that nobody decided in time, once. It is over without that, too. */
export async function recordExpired({ store, trail, issuer, now }: ExpiryServices): Promise<void> {
  for (let rows = await due(); rows.length > 0; rows = rows.length < atOnce ? [] : await due()) {
    for (const row of rows) {
      const id = textOf(row, 'id');
      await store.batch([
        required(sql`
          UPDATE countersign_approvals SET ended_at = decide_by
          WHERE id = ${id} AND status = 'pending' AND ended_at IS NULL RETURNING id`),
        ...trail.record(approvalEvent(approvalOf(row), 'expired', { id: issuer, type: 'authority' }, { issuer })),
      ]);
    }
  }

  async function due(): Promise<readonly Row[]> {
    return await store.run(sql`
      SELECT id, binding, request FROM countersign_approvals
      WHERE status = 'pending' AND ended_at IS NULL AND decide_by <= ${now()} ORDER BY decide_by LIMIT ${atOnce}`);
  }
}

function approvalOf(row: Row): Parameters<typeof approvalEvent>[0] {
  const json = parseStrictJson(textOf(row, 'request'));
  const request = json.ok ? readApprovalRequest(json.value) : json;
  if (!request.ok) throw new Error('an approval of the store cannot be read');
  return { id: textOf(row, 'id'), binding: textOf(row, 'binding'), request: request.value };
}

/** Every half minute, in the background, unless the clocks of this process and of the database differ. */
export function startExpiry(services: ExpiryServices & { readonly onTrouble: (message: string) => void }): Background {
  const run = async (): Promise<void> => {
    const at = await agreedTime(services.store, services.now);
    await recordExpired({ ...services, now: () => at });
  };
  return inBackground(run, {
    everyMilliseconds: intervalMilliseconds,
    trouble: 'expired requests cannot be recorded',
    onTrouble: services.onTrouble,
  });
}
