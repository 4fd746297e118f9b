import type { Chain, Hop } from '@countersign/delegation';
import { type Revocable, revocationKey } from './revocable.js';

/**
 * Everything that a chain rests on, each under every name by which it can be revoked: each member by its id, each key
 * that signed the request or a link, each delegation, each issuer, and the subject. So a chain ends with any of its
 * ancestors. By `revocationKey`, the actor's own names first.
 */
export function namesInChain(chain: Chain): ReadonlyMap<string, Revocable> {
  const [subject] = chain;
  const named = [
    ...chain.map((hop, index) => namesOfHop(hop, chain[index - 1])).toReversed(),
    withAndWithout({ subject: subject.id }, subject.issuer),
  ].flat();
  return new Map(named.map((one) => [revocationKey(one), one]));
}

function namesOfHop({ id, keyId, delegationId, issuer }: Hop, before: Hop | undefined): readonly Revocable[] {
  return [
    { agent: id },
    ...(keyId === undefined ? [] : [{ key: keyId }]),
    // A hop that no token names was reached by a link of the hop before.
    ...(delegationId === undefined ? [] : withAndWithout({ delegation: delegationId }, issuer ?? before?.id)),
    ...(issuer === undefined ? [] : [{ issuer }]),
  ];
}

/** A revocation without an issuer is meant for every issuer. */
function withAndWithout(named: Revocable, issuer: string | undefined): readonly Revocable[] {
  return issuer === undefined ? [named] : [named, { ...named, issuer }];
}
