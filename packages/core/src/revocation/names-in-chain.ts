import type { Chain } from '@countersign/delegation';
import { type Revocable, revocationKey } from './revocable.js';

/**
 * Everything that a chain rests on, each under every name by which it can be revoked: each member by its id, each key
 * that signed the request or a link, each delegation, each issuer, and the subject. So a chain ends with any of its
 * ancestors. The actor's own names come first.
 */
export function namesInChain(chain: Chain): readonly Revocable[] {
  const [first] = chain;
  const named = [
    ...chain
      .toReversed()
      .flatMap((hop): Revocable[] => [
        { agent: hop.id },
        ...(hop.keyId === undefined ? [] : [{ key: hop.keyId }]),
        ...(hop.delegationId === undefined ? [] : withAndWithout({ delegation: hop.delegationId }, hop.issuer)),
        ...(hop.issuer === undefined ? [] : [{ issuer: hop.issuer }]),
      ]),
    ...withAndWithout({ subject: first.id }, first.issuer),
  ];
  return [...new Map(named.map((one) => [revocationKey(one), one])).values()];
}

/** A revocation without an issuer is meant for every issuer. */
function withAndWithout<T extends Revocable>(named: T, issuer: string | undefined): (T & { issuer?: string })[] {
  return issuer === undefined ? [named] : [named, { ...named, issuer }];
}
