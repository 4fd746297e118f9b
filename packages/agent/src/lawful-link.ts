import { guardMaxima } from '@countersign/common';
import {
  delegatedChain,
  type DelegationClaims,
  type LinkClaims,
  parentHash,
  readClaims,
  readLink,
  type VerifiedLink,
} from '@countersign/delegation';
import type { Credentials } from './credentials.js';
import { headerOf, payloadOf } from './jwt-payload.js';

/** An agent whose key is to sign a link, or to send a request; what it may do of its own, only an API knows. */
function agentNamed(id: string, keyId: unknown): VerifiedLink['delegator'] {
  return { id, keyId: typeof keyId === 'string' ? keyId : '', capabilities: [] };
}

/**
 * What an API would refuse of a link behind these credentials, by the very laws that it applies; undefined if nothing.
 * Signatures, and by what names an API knows the agents of a token, are for the API to judge.
 */
export function unlawful({ token, links }: Credentials, link: LinkClaims, keyId: string): string | undefined {
  const signed: VerifiedLink[] = [];
  for (const text of links) {
    const read = readLink(payloadOf(text));
    if (!read.ok) return read.detail;
    const delegator = agentNamed(read.link.issuer, headerOf(text)?.['kid']);
    signed.push({ claims: read.link, hash: parentHash(text), delegator });
  }
  signed.push({ claims: link, hash: '', delegator: agentNamed(link.issuer, keyId) });
  const read = token === undefined ? undefined : readClaims(payloadOf(token));
  if (read?.ok === false) return `no API would take the token: ${read.detail}`;
  const first = signed[0]?.delegator.id ?? link.issuer;
  const chain = delegatedChain({
    root:
      token === undefined || read === undefined
        ? {}
        : { token: usedBy(read.claims, first), tokenHash: parentHash(token) },
    links: signed,
    actor: agentNamed(link.subject, link.confirmation?.jkt),
    // What the API accepts is its own choice.
    maxDepth: guardMaxima.maxDelegationDepth,
  });
  if (chain.ok) return undefined;
  return chain.code === 'agent_repeated' ? `${chain.detail.replace(/\.$/, '')}: ${link.subject}` : chain.detail;
}

/** An issuer may name the agent within a namespace of its own, which only the API knows. */
function usedBy(claims: DelegationClaims, id: string): DelegationClaims {
  const { actor } = claims;
  return actor === undefined ? { ...claims, subject: id } : { ...claims, actor: { ...actor, subject: id } };
}
