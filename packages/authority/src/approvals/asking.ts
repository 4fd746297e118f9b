import { required, sql, type Statement } from '../storage/store.js';
import { type Approval, groupsAsked } from './approval.js';

/** Questions of one agent that wait at the same time: people must be able to read them. */
const mostWaiting = 50;
/** An agent makes room by withdrawing. Each question is a row for 90 days, and a message to each channel. */
const mostInAnHour = 200;

export const tooMany: string = `${mostWaiting} requests of this agent wait for people already, or it asked ${mostInAnHour} times within an hour`;

/** The question of an agent that waits for people, if it asked it before. */
export function waiting(agent: string, binding: string, now: number): Statement {
  return sql`
    SELECT * FROM countersign_approvals
    WHERE agent = ${agent} AND binding = ${binding} AND status = 'pending' AND decide_by > ${now} LIMIT 1`;
}

/** The statements that put a question into the queue, if the agent may ask it. `shown` is sealed. */
export function asking(approval: Approval, shown: string | null): readonly Statement[] {
  const { id, binding, agent, tenant, request, askedAt: at, decideBy } = approval;
  return [
    // Of several at once each sees those before it.
    required(sql`SELECT id FROM countersign_agents WHERE id = ${agent} AND status <> 'revoked' FOR UPDATE`),
    required(sql`
      SELECT id FROM countersign_agents WHERE id = ${agent} AND NOT EXISTS (
        SELECT 1 FROM countersign_approvals
        WHERE agent = ${agent} AND binding = ${binding} AND status = 'pending' AND decide_by > ${at})`),
    required(sql`
      SELECT count(*) AS waiting FROM countersign_approvals
      WHERE agent = ${agent} AND status = 'pending' AND decide_by > ${at} HAVING count(*) < ${mostWaiting}`),
    required(sql`
      SELECT count(*) AS asked FROM countersign_approvals
      WHERE agent = ${agent} AND asked_at > ${at - 3600} HAVING count(*) < ${mostInAnHour}`),
    sql`
      INSERT INTO countersign_approvals
        (id, binding, agent, tenant, request, shown, status, version, asked_at, decide_by, broke_glass)
      VALUES (${id}, ${binding}, ${agent}, ${tenant}, ${JSON.stringify(request)}, ${shown}, 'pending', 0, ${at},
        ${decideBy}, 0)`,
    ...groupsAsked(request).map(
      (group) => sql`INSERT INTO countersign_approval_groups (approval_id, name) VALUES (${id}, ${group})`,
    ),
  ];
}
