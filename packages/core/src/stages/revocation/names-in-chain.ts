import type { ApprovalClaims } from '@countersign/approval';
import type { Ancestor, Chain, Hop } from '@countersign/delegation';
import { type Revocable, revocationKey } from './revocable.js';

/**
 * Everything that a chain rests on, each under every name by which it can be revoked: each member by its id, each key
 * that signed the request or a link, each delegation, each issuer, and the subject; and what its issuer made the token
 * from, with the keys that this was bound to. So a chain ends with any of its ancestors. By `revocationKey`, the actor's own names first.
 */
export function namesInChain(chain: Chain, namespace = ''): ReadonlyMap<string, Revocable> {
  const [subject] = chain;
  const named = [
    ...chain.map((hop, index) => namesOfHop(hop, chain[index - 1], namespace)).toReversed(),
    withAndWithout({ subject: subject.id }, subject.issuer),
    nameAtIssuer(subject, namespace),
  ].flat();
  return new Map(named.map((one) => [revocationKey(one), one]));
}

/** Everything that an approval rests on: its authority, itself, and the people who approved, as subjects. */
export function namesInApproval(
  { issuer, id, approvers }: ApprovalClaims,
  namespace = '',
): ReadonlyMap<string, Revocable> {
  const named: readonly Revocable[] = [
    { issuer },
    ...withAndWithout({ delegation: id }, issuer),
    ...approvers.flatMap((approver) => [
      ...withAndWithout({ subject: namespace + approver.id }, issuer),
      { subject: approver.id, issuer },
    ]),
  ];
  return new Map(named.map((one) => [revocationKey(one), one]));
}

/** With its issuer, a subject is revoked by the name that this issuer gives it, too: without its namespace. */
function nameAtIssuer({ id, issuer }: Hop, namespace: string): readonly Revocable[] {
  if (issuer === undefined || namespace === '' || !id.startsWith(namespace)) return [];
  return [{ subject: id.slice(namespace.length), issuer }];
}

function namesOfHop(hop: Hop, before: Hop | undefined, namespace: string): readonly Revocable[] {
  const { keyId, delegationId, issuer, ancestors = [] } = hop;
  // A hop that no token names was reached by a link of the hop before.
  const givenBy = issuer === undefined ? namesOfAgent(before, namespace) : [issuer];
  return [
    ...namesOfAgent(hop, namespace).map((agent) => ({ agent })),
    ...(keyId === undefined ? [] : [{ key: keyId }]),
    ...(delegationId === undefined ? [] : withAndWithout({ delegation: delegationId }, ...givenBy)),
    ...(issuer === undefined ? [] : [{ issuer }]),
    ...ancestors.flatMap((ancestor) => namesOfAncestor(ancestor, issuer)),
  ];
}

function namesOfAncestor({ issuer, delegationId, keyId }: Ancestor, madeBy: string | undefined): readonly Revocable[] {
  return [
    ...(keyId === undefined ? [] : [{ key: keyId }]),
    ...(delegationId === undefined ? [] : withAndWithout({ delegation: delegationId }, issuer ?? madeBy)),
    ...(issuer === undefined ? [] : [{ issuer }]),
  ];
}

/**
 * The name of an agent that an issuer names depends on who is registered here: plain, or within the issuer's namespace.
 * A revocation must outlive a change of that, so it counts by either name.
 */
function namesOfAgent(hop: Hop | undefined, namespace: string): readonly string[] {
  if (hop === undefined) return [];
  const { id, type, issuer } = hop;
  if (issuer === undefined || namespace === '' || type !== 'agent') return [id];
  return [id, id.startsWith(namespace) ? id.slice(namespace.length) : namespace + id];
}

/** A revocation without an issuer is meant for every issuer. */
function withAndWithout(named: Revocable, ...issuers: readonly (string | undefined)[]): readonly Revocable[] {
  const known = issuers.filter((issuer) => issuer !== undefined);
  return [named, ...known.map((issuer) => ({ ...named, issuer }))];
}
