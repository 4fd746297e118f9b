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

/** The statement that reads them: what waits by urgency, anything else newest first. */
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
  const order = waiting === true ? 'decide_by, idx' : `${first.join('')}idx DESC`;
  return { text: `SELECT * FROM countersign_approvals ${where} ORDER BY ${order} LIMIT ${bind(limit)}`, values };
}
