import type { Approval } from './approval.js';

/** Questions that people answered alike so often that a policy could answer them. */
export interface ApprovalSuggestion {
  readonly audience: string;
  readonly agent: string;
  readonly subject: { readonly id: string; readonly type: 'user' | 'agent' };
  readonly action: string;
  readonly resource: { readonly type: string; readonly id: string };
  /** How often it was approved, and never denied. */
  readonly approvals: number;
  readonly approvers: readonly string[];
  /** The policies that asked, as of the newest question. */
  readonly policies: readonly string[];
}

/**
 * Groups what has ended by who asked for what, for whom. A group with a denial or an emergency is none: people did read.
 * Nothing is remembered: a person commits a policy, or nothing changes.
 */
export function suggestionsOf(ended: readonly Approval[], least: number): readonly ApprovalSuggestion[] {
  const groups = new Map<string, readonly Approval[]>();
  for (const approval of ended) {
    const { audience, action, resource, subject, chain } = approval.request;
    const key = JSON.stringify([
      audience,
      approval.agent,
      action,
      resource.type,
      resource.id,
      subject.type,
      subject.id,
      chain.length,
    ]);
    groups.set(key, [...(groups.get(key) ?? []), approval]);
  }
  return [...groups.values()].flatMap((alike) => {
    const [newest] = alike;
    const approved = alike.filter(({ status }) => status === 'approved');
    const isDoubtful = alike.some(
      ({ brokeGlass, decisions }) => brokeGlass || decisions.some(({ verdict }) => verdict === 'deny'),
    );
    if (newest === undefined || approved.length < least || isDoubtful) return [];
    const { audience, action, resource, subject, policies } = newest.request;
    const approvers = [
      ...new Set(approved.flatMap(({ decisions }) => decisions.map(({ approver }) => approver))),
    ].toSorted();
    const { id, type } = subject;
    return [
      {
        audience,
        agent: newest.agent,
        subject: { id, type },
        action,
        resource,
        approvals: approved.length,
        approvers,
        policies,
      },
    ];
  });
}
