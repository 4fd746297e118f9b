import { agreedTime, clockMarginSeconds } from './clock.js';
import { type Background, inBackground } from './in-background.js';
import { numberOf, sql, type Statement, type Store } from './store.js';

const intervalMilliseconds = 60_000;
/** Rows that one statement deletes: a long transaction would hold up all others. */
const atOnce = 500;
/** How long people see what was asked for and decided. Logs keep it longer. */
const approvalSeconds = 90 * 86_400;

/** No sign-in elsewhere and no consent counts longer, so an end is remembered as long. */
export const longestGrantSeconds = 2_592_000;

/** So long after its last token a workload is forgotten. */
const idleWorkloadSeconds = 86_400;

/** Deletes what expired ten minutes ago, a part at a time, and returns the number of rows that were changed. */
export async function sweep(store: Store, now: number): Promise<number> {
  let total = 0;
  for (const statement of statements(now, Math.min(now, await lastTokenAt(store)))) {
    for (let deleted = atOnce; deleted === atOnce; total += deleted) {
      deleted = (await store.run(statement)).length;
    }
  }
  return total;
}

/**
 * When the newest token was issued. The proof of its agent was not too old then, so the clock of another machine agreed.
 * A consent proves nothing: a browser shows no time.
 */
async function lastTokenAt(store: Store): Promise<number> {
  const [row] = await store.run(sql`
    SELECT created_at FROM countersign_delegations WHERE thumbprint <> '' ORDER BY idx DESC LIMIT 1`);
  return row === undefined ? 0 : numberOf(row, 'created_at');
}

/** `witnessed`: a time that was not later than now by the clocks of two machines. */
function statements(now: number, witnessed: number): readonly Statement[] {
  const expired = now - clockMarginSeconds;
  // Longer than anything else that counts, so a clock must be far ahead to forget it, and few are: they can wait.
  const ended = witnessed - clockMarginSeconds - longestGrantSeconds;
  return [
    sql`DELETE FROM countersign_one_time WHERE (purpose, id) IN
      (SELECT purpose, id FROM countersign_one_time WHERE expires_at <= ${expired} LIMIT ${atOnce}) RETURNING id`,
    sql`DELETE FROM countersign_models WHERE (model, id) IN
      (SELECT model, id FROM countersign_models WHERE expires_at <= ${expired} LIMIT ${atOnce}) RETURNING id`,
    sql`DELETE FROM countersign_invitations WHERE digest IN
      (SELECT digest FROM countersign_invitations WHERE expires_at <= ${expired} LIMIT ${atOnce}) RETURNING digest`,
    sql`DELETE FROM countersign_sessions WHERE digest IN
      (SELECT digest FROM countersign_sessions WHERE expires_at <= ${expired} LIMIT ${atOnce}) RETURNING digest`,
    // What nobody decided about in time: an agent could fill the store with it.
    sql`UPDATE countersign_approvals SET shown = NULL WHERE id IN
      (SELECT id FROM countersign_approvals
        WHERE status = 'pending' AND version = 0 AND shown IS NOT NULL AND decide_by <= ${expired} LIMIT ${atOnce}) RETURNING id`,
    // An emergency that nobody has reviewed stays.
    sql`DELETE FROM countersign_approvals WHERE id IN
      (SELECT id FROM countersign_approvals WHERE asked_at <= ${now - approvalSeconds} AND decide_by <= ${expired}
        AND (broke_glass = 0 OR reviewed_at IS NOT NULL) LIMIT ${atOnce}) RETURNING id`,
    // The newest stays: it tells which places in the status lists were given out.
    sql`DELETE FROM countersign_delegations WHERE idx IN
      (SELECT idx FROM countersign_delegations WHERE expires_at <= ${expired}
        AND idx < (SELECT MAX(idx) FROM countersign_delegations) LIMIT ${atOnce}) RETURNING idx`,
    // Asked twice, because it may have been ended again meanwhile.
    sql`DELETE FROM countersign_ends WHERE ended_at <= ${ended} AND (subject, agent) IN
      (SELECT subject, agent FROM countersign_ends WHERE ended_at <= ${ended} LIMIT ${atOnce})
      RETURNING subject`,
    idleWorkloads(now - idleWorkloadSeconds, expired),
  ];
}

/**
 * Workloads that have no token and no status of their own, and would be as they are if they came again: one that is let
 * through in spite of a stop stays. What the row itself says is asked twice, because it may have changed meanwhile.
 */
function idleWorkloads(since: number, expired: number): Statement {
  return sql`
    DELETE FROM countersign_agents WHERE workload = 1 AND status = 'active' AND seen_at <= ${since} AND id IN
      (SELECT a.id FROM countersign_agents a WHERE a.workload = 1 AND a.status = 'active' AND a.seen_at <= ${since}
        AND NOT EXISTS (SELECT 1 FROM countersign_delegations d WHERE d.actor = a.id AND d.expires_at > ${expired})
        AND NOT EXISTS (SELECT 1 FROM countersign_workload_stops s
          WHERE substr(a.id, 1, length(s.name) - 1) || '*' = s.name
            OR (s.name LIKE 'tag %' AND a.tags LIKE '% ' || substr(s.name, 5) || ' %'))
        LIMIT ${atOnce}) RETURNING id`;
}

/** Sweeps every minute, in the background, unless the clocks of this process and of the database differ. */
export function startSweeper(store: Store, now: () => number, onTrouble: (message: string) => void): Background {
  return inBackground(async () => await sweep(store, await agreedTime(store, now)), {
    everyMilliseconds: intervalMilliseconds,
    trouble: 'expired rows cannot be deleted',
    onTrouble,
  });
}
