import type { Statement } from '../storage/store.js';

/** Which approvals to read. */
export interface ApprovalFilter {
  readonly groups?: readonly string[];
  readonly tenant?: string;
  readonly agent?: string;
  readonly binding?: string;
  /** Those that nobody has reviewed come first. */
  readonly brokeGlass?: boolean;
  /** Only what somebody denied. */
  readonly denied?: boolean;
  /** Only what has ended or expired. */
  readonly ended?: boolean;
  /** What people decided about comes before what was only withdrawn or expired, so that nobody can hide it behind more. */
  readonly decidedFirst?: boolean;
  readonly waiting?: boolean;
  readonly limit: number;
}

/** With a misspelt `tenant`, the approvals of all tenants would be listed. */
export const filterNames: readonly string[] = Object.keys({
  groups: true,
  tenant: true,
  agent: true,
  binding: true,
  brokeGlass: true,
  denied: true,
  ended: true,
  decidedFirst: true,
  waiting: true,
  limit: true,
} satisfies Record<keyof ApprovalFilter, true>);

/** Without what the agents showed. */
const columns = `id, binding, agent, tenant, request, NULL AS shown, status, version, asked_at, decide_by, ended_at, use_by,
  signed_at, broke_glass, reviewed_by, reviewed_at`;

/**
 * The statement that reads them: what waits by urgency, anything else newest first. If more wait than are read, each agent
 * gets its turn with what is most urgent of it, so that none hides the requests of others.
 */
export function selection(filter: ApprovalFilter, now: number): Statement {
  const values: (string | number)[] = [];
  const bind = (value: string | number): string => `$${values.push(value)}`;
  const { groups, tenant, agent, binding, brokeGlass, denied, ended, decidedFirst, waiting, limit } = filter;
  const conditions = [
    ...(groups === undefined
      ? []
      : [
          `id IN (SELECT approval_id FROM countersign_approval_groups WHERE name IN (${groups.map(bind).join(', ') || 'NULL'}))`,
        ]),
    ...(tenant === undefined ? [] : [`tenant = ${bind(tenant)}`]),
    ...(agent === undefined ? [] : [`agent = ${bind(agent)}`]),
    ...(binding === undefined ? [] : [`binding = ${bind(binding)}`]),
    ...(brokeGlass === true ? ['broke_glass = 1'] : []),
    ...(denied === true
      ? [`id IN (SELECT approval_id FROM countersign_approval_decisions WHERE verdict = 'deny')`]
      : []),
    ...(waiting === true ? [`status = 'pending' AND decide_by > ${bind(now)}`] : []),
    ...(ended === true ? [`(status <> 'pending' OR decide_by <= ${bind(now)})`] : []),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const first = [
    ...(decidedFirst === true ? ['id IN (SELECT approval_id FROM countersign_approval_decisions)'] : []),
    ...(brokeGlass === true ? ['reviewed_at IS NULL'] : []),
  ].map((condition) => `CASE WHEN ${condition} THEN 0 ELSE 1 END, `);
  const from = `SELECT ${columns} FROM countersign_approvals`;
  if (waiting !== true) {
    return { text: `${from} ${where} ORDER BY ${first.join('')}idx DESC LIMIT ${bind(limit)}`, values };
  }
  const turns = `SELECT idx, decide_by, ROW_NUMBER() OVER (PARTITION BY agent ORDER BY decide_by, idx) AS turn
    FROM countersign_approvals ${where}`;
  const chosen = `SELECT idx FROM (${turns}) AS turns ORDER BY turn, decide_by, idx LIMIT ${bind(limit)}`;
  return { text: `${from} WHERE idx IN (${chosen}) ORDER BY decide_by, idx`, values };
}
