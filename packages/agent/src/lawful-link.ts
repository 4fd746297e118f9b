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

/** An agent that signs a link or sends a request. Only an API knows its capabilities. */
function agentNamed(id: string, keyId: unknown): VerifiedLink['delegator'] {
  return { id, keyId: typeof keyId === 'string' ? keyId : '', capabilities: [] };
}

/**
 * Why an API would refuse a link after these credentials, by the same rules; undefined if it would not. Only the API can
 * verify signatures and knows the ids behind the names in a token.
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

/** The token may name the agent in a namespace of the issuer, which only the API knows. */
function usedBy(claims: DelegationClaims, id: string): DelegationClaims {
  const { actor } = claims;
  return actor === undefined ? { ...claims, subject: id } : { ...claims, actor: { ...actor, subject: id } };
}
