import { type Background, inBackground } from './in-background.js';
import { sql, type Statement, type Store } from './store.js';

const intervalMilliseconds = 60_000;
/** Rows that one statement deletes: a long transaction would hold up all others. */
const atOnce = 500;
/** How long people see what was asked for and decided. Logs keep it longer. */
const approvalSeconds = 90 * 86_400;

/** No sign-in elsewhere and no consent counts longer, so an end is remembered as long, and a margin for clocks. */
export const longestGrantSeconds = 2_592_000;

/** So long after its last token a workload is forgotten. */
const idleWorkloadSeconds = 86_400;

/** Deletes what has expired, a part at a time, and returns the number of rows that were changed. */
export async function sweep(store: Store, now: number): Promise<number> {
  let total = 0;
  for (const statement of statements(now)) {
    for (let deleted = atOnce; deleted === atOnce; total += deleted) {
      deleted = (await store.run(statement)).length;
    }
  }
  return total;
}

function statements(now: number): readonly Statement[] {
  return [
    sql`DELETE FROM countersign_one_time WHERE (purpose, id) IN
      (SELECT purpose, id FROM countersign_one_time WHERE expires_at <= ${now} LIMIT ${atOnce}) RETURNING id`,
    sql`DELETE FROM countersign_models WHERE (model, id) IN
      (SELECT model, id FROM countersign_models WHERE expires_at <= ${now} LIMIT ${atOnce}) RETURNING id`,
    sql`DELETE FROM countersign_invitations WHERE digest IN
      (SELECT digest FROM countersign_invitations WHERE expires_at <= ${now} LIMIT ${atOnce}) RETURNING digest`,
    sql`DELETE FROM countersign_sessions WHERE digest IN
      (SELECT digest FROM countersign_sessions WHERE expires_at <= ${now} LIMIT ${atOnce}) RETURNING digest`,
    // What nobody decided about in time: an agent could fill the store with it.
    sql`UPDATE countersign_approvals SET shown = NULL WHERE id IN
      (SELECT id FROM countersign_approvals
        WHERE status = 'pending' AND version = 0 AND shown IS NOT NULL AND decide_by <= ${now} LIMIT ${atOnce}) RETURNING id`,
    // An emergency that nobody has reviewed stays.
    sql`DELETE FROM countersign_approvals WHERE id IN
      (SELECT id FROM countersign_approvals WHERE asked_at <= ${now - approvalSeconds} AND decide_by <= ${now}
        AND (broke_glass = 0 OR reviewed_at IS NOT NULL) LIMIT ${atOnce}) RETURNING id`,
    // A guard may accept a token some minutes longer than its clock says; its status is published as long.
    sql`DELETE FROM countersign_delegations WHERE idx IN
      (SELECT idx FROM countersign_delegations WHERE expires_at <= ${now - 600} LIMIT ${atOnce}) RETURNING idx`,
    // Asked twice, because it may have been ended again meanwhile.
    sql`DELETE FROM countersign_ends WHERE ended_at <= ${now - longestGrantSeconds - 600} AND (subject, agent) IN
      (SELECT subject, agent FROM countersign_ends WHERE ended_at <= ${now - longestGrantSeconds - 600} LIMIT ${atOnce})
      RETURNING subject`,
    idleWorkloads(now - idleWorkloadSeconds),
  ];
}

/**
 * Workloads that have no token and no status of their own, and would be as they are if they came again: one that is let
 * through in spite of a stop stays. What the row itself says is asked twice, because it may have changed meanwhile.
 */
function idleWorkloads(since: number): Statement {
  return sql`
    DELETE FROM countersign_agents WHERE workload = 1 AND status = 'active' AND seen_at <= ${since} AND id IN
      (SELECT a.id FROM countersign_agents a WHERE a.workload = 1 AND a.status = 'active' AND a.seen_at <= ${since}
        AND NOT EXISTS (SELECT 1 FROM countersign_delegations d WHERE d.actor = a.id)
        AND NOT EXISTS (SELECT 1 FROM countersign_workload_stops s
          WHERE substr(a.id, 1, length(s.name) - 1) || '*' = s.name
            OR (s.name LIKE 'tag %' AND a.tags LIKE '% ' || substr(s.name, 5) || ' %'))
        LIMIT ${atOnce}) RETURNING id`;
}

/** Sweeps every minute, in the background. */
export function startSweeper(store: Store, onTrouble: (message: string) => void): Background {
  return inBackground(() => sweep(store, Math.floor(Date.now() / 1000)), {
    everyMilliseconds: intervalMilliseconds,
    trouble: 'expired rows cannot be deleted',
    onTrouble,
  });
}
