import {
  type ApprovalRequest,
  type ApprovalRequirement,
  readApprovalRequest,
  requirementKey,
} from '@countersign/approval';
import { parseStrictJson } from '@countersign/common';
import { numberOf, type Row, sql, type Store, textOf } from '../storage/store.js';

/** Questions that people answered alike so often that a policy could answer them. */
export interface ApprovalSuggestion {
  readonly audience: string;
  readonly agent: string;
  readonly subject: { readonly id: string; readonly type: 'user' | 'agent' };
  readonly action: string;
  readonly resource: { readonly type: string; readonly id: string };
  /** Links of the chain from the subject to the agent. */
  readonly hops: number;
  /** Only signed requests and local calls can be approved, and MCP calls by their arguments: those count as signed. */
  readonly possession: 'signature' | 'local';
  /** How often it was approved, and never denied. */
  readonly approvals: number;
  readonly approvers: readonly string[];
  /** The policies that asked, each of these times. */
  readonly policies: readonly string[];
  /**
   * What was demanded of these people each time, by the word of the agent: the authority knows no policies. Only who does
   * can say whether they demand this.
   */
  readonly requirement: ApprovalRequirement;
}

/** The questions about one thing, at one API, that the same policies asked of the same people. */
interface Alike {
  readonly newest: ApprovalRequest;
  approvals: number;
  readonly approvers: Set<string>;
}

/** Questions that are read at once. */
const atOnce = 500;

/**
 * Groups the questions that people decided about by who asked for what, for whom, at which API, and by what was demanded.
 * A denial or an emergency at any API ends the groups of the same call at all of them, also by people who were revoked since.
 * What one of these approved counts for nothing: their account may have been stolen.
 * All that the store holds is read, since an agent could push a denial out of the newest ones.
 * Nothing is remembered: a person commits a policy, or nothing changes.
 */
export async function readSuggestions(store: Store, least: number): Promise<readonly ApprovalSuggestion[]> {
  const groups = new Map<string, Alike>();
  const doubtful = new Set<string>();
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const rows = await store.run(sql`
      SELECT idx, id, request, status FROM countersign_approvals
      WHERE idx < ${before} AND id IN (SELECT approval_id FROM countersign_approval_decisions)
      ORDER BY idx DESC LIMIT ${atOnce}`);
    const last = rows.at(-1);
    if (last === undefined) break;
    before = numberOf(last, 'idx');
    const ids = rows.map((row) => textOf(row, 'id'));
    const decisions = await store.run({
      text: `SELECT approval_id, approver, verdict, revoked_at FROM countersign_approval_decisions
        WHERE approval_id IN (${ids.map((_, index) => `$${index + 1}`).join(', ')})`,
      values: ids,
    });
    for (const row of rows) {
      const request = requestIn(row);
      const own = decisions.filter((one) => one['approval_id'] === row['id']);
      if (own.some(({ verdict }) => verdict !== 'approve')) doubtful.add(callOf(request));
      const isApproved = row['status'] === 'approved' && own.every((one) => one['revoked_at'] === null);
      if (isApproved) count(request, own, groups);
    }
  }
  return [...groups.values()].flatMap((alike) => suggestionOf(alike, least, doubtful));
}

/** The request in a row of `countersign_approvals`. */
export function requestIn(row: Row): ApprovalRequest {
  const json = parseStrictJson(textOf(row, 'request'));
  const read = json.ok ? readApprovalRequest(json.value) : json;
  if (!read.ok) throw new Error('an approval of the store cannot be read');
  return read.value;
}

/** Without the chain: a suggestion permits shorter chains, too. */
function callOf({ actor, action, resource, subject }: ApprovalRequest): string {
  return JSON.stringify([actor.id, action, resource.type, resource.id, subject.type, subject.id]);
}

function possessionOf({ chain }: ApprovalRequest): ApprovalSuggestion['possession'] {
  return chain.at(-1)?.proof === 'local' ? 'local' : 'signature';
}

function count(request: ApprovalRequest, decisions: readonly Row[], groups: Map<string, Alike>): void {
  const key = JSON.stringify([
    callOf(request),
    request.audience,
    request.chain.length,
    possessionOf(request),
    request.policies.toSorted(),
    requirementKey(request.requirement),
  ]);
  const alike = groups.get(key) ?? { newest: request, approvals: 0, approvers: new Set<string>() };
  groups.set(key, alike);
  alike.approvals += 1;
  for (const decision of decisions) alike.approvers.add(textOf(decision, 'approver'));
}

function suggestionOf(
  { newest, approvals, approvers }: Alike,
  least: number,
  doubtful: ReadonlySet<string>,
): readonly ApprovalSuggestion[] {
  if (approvals < least || doubtful.has(callOf(newest))) return [];
  const { audience, actor, action, resource, subject, chain, policies, requirement } = newest;
  return [
    {
      audience,
      agent: actor.id,
      subject: { id: subject.id, type: subject.type },
      action,
      resource,
      hops: chain.length - 1,
      possession: possessionOf(newest),
      approvals,
      approvers: [...approvers].toSorted(),
      policies,
      requirement,
    },
  ];
}
