import {
  type ActingAgent,
  checkAudience,
  checkTimes,
  type DelegatedChain,
  delegatedChain,
  type LinkSigner,
  mintDelegation,
  mintLink,
  parentHash,
  readClaims,
  readLink,
  scopeCovers,
  type SigningKey,
  type VerifiedLink,
} from '../src/index.js';

const api = 'https://api.acme.dev';

/** At the issuer: user_123 lets an agent draft pull requests for five minutes. */
export function delegate(issuerKey: SigningKey, agentKeyThumbprint: string, now: number): Promise<string> {
  return mintDelegation({
    issuer: 'https://id.acme.dev',
    key: issuerKey,
    keyId: 'issuer-1',
    user: 'user_123',
    agent: 'agent-code-reviewer-01',
    agentKeyThumbprint, // RFC 7638; nobody else can use the delegation
    scope: 'repo:read pr:write:draft',
    audience: api,
    lifetimeSeconds: 300,
    now,
  });
}

/** At the agent: it delegates the right to read one repository for a minute, offline. */
export function redelegate(token: string, signer: LinkSigner, now: number): Promise<string> {
  return mintLink({
    delegator: 'agent-code-reviewer-01',
    signer,
    delegate: 'agent-test-runner',
    parent: token,
    scope: 'repo:read',
    authorizationDetails: [{ type: 'Repo', identifier: 'acme/api' }],
    maxHops: 0, // no further delegation
    audience: api,
    lifetimeSeconds: 60,
    now,
  });
}

type Verified = { payload: unknown; text: string };

/** At the API: a token and a link with verified signatures, and the agent that signed the request. */
export function accept(
  token: Verified,
  link: Verified & { delegator: ActingAgent },
  actor: ActingAgent,
  now: number,
): DelegatedChain | { ok: false; code: string } {
  const read = readClaims(token.payload);
  if (!read.ok) return read;
  const second = readLink(link.payload);
  if (!second.ok) return second;
  for (const claims of [read.claims, second.link]) {
    const problem =
      checkTimes(claims, { now, clockSkewSeconds: 5, maxLifetimeSeconds: 3600 }) ?? checkAudience(claims, [api]);
    if (problem) return problem;
  }
  const links: VerifiedLink[] = [{ claims: second.link, hash: parentHash(link.text), delegator: link.delegator }];
  const root = { token: read.claims, tokenHash: parentHash(token.text) };
  return delegatedChain({ root, links, actor, maxDepth: 5 });
}

/** `repo:read` covers `repo:read:file`, but not `repo`. */
export const mayRead = (acting: DelegatedChain): boolean => scopeCovers(acting.effectiveScope, 'repo:read:file');
