import { createHash } from 'node:crypto';
import {
  type ActingAgent,
  type Chain,
  delegatedChain,
  type DelegationClaims,
  type LinkClaims,
} from '@countersign/delegation';
import { describe, expect, it } from 'vitest';
import { namesInChain } from '../../../src/stages/revocation/names-in-chain.js';
import { type Revocable, revocationKey } from '../../../src/stages/revocation/revocable.js';
import { RevocationSet } from '../../../src/stages/revocation/revocation-set.js';

const issuer = 'https://id.acme.dev';

type TestAgent = ActingAgent & { readonly keyId: string };

function agent(id: string): TestAgent {
  return { id, keyId: createHash('sha256').update(id).digest('base64url'), capabilities: ['repo:read'] };
}

const [a, b, c, d] = ['agent-a', 'agent-b', 'agent-c', 'agent-d'].map(agent) as [
  TestAgent,
  TestAgent,
  TestAgent,
  TestAgent,
];

const token: DelegationClaims = {
  issuer,
  subject: 'user_123',
  audience: ['https://api.acme.dev'],
  expiresAt: 2000,
  id: 'token-1',
  scope: ['repo:read'],
  actor: { subject: b.id },
  priorActors: [{ subject: a.id }],
};

function link(from: ActingAgent, to: ActingAgent, parentHash: string | undefined): LinkClaims {
  return {
    issuer: from.id,
    subject: to.id,
    audience: ['https://api.acme.dev'],
    scope: ['repo:read'],
    issuedAt: 1000,
    expiresAt: 1060,
    id: `link-${from.id}`,
    ...(parentHash !== undefined && { parentHash }),
  };
}

/** A user's token, nested, then two links: user_123, agent-a (history), agent-b, agent-c, agent-d. */
function mixed(): Chain {
  const acting = delegatedChain({
    root: { token, tokenHash: 'h0' },
    links: [
      { claims: link(b, c, 'h0'), hash: 'h1', delegator: b },
      { claims: link(c, d, 'h1'), hash: 'h2', delegator: c },
    ],
    actor: d,
    maxDepth: 5,
  });
  if (!acting.ok) throw new Error(acting.code);
  return acting.chain;
}

function isRevoked(chain: Chain, revocation: Revocable): boolean {
  const set = new RevocationSet();
  set.add(revocation, 0);
  return set.findByKey(namesInChain(chain), 1000) !== undefined;
}

describe('a chain is revoked by a revocation in its ancestry [C7]', () => {
  it.each<[Revocable]>([
    [{ agent: a.id }],
    [{ agent: b.id }],
    [{ agent: c.id }],
    [{ agent: d.id }],
    [{ key: b.keyId }],
    [{ key: c.keyId }],
    [{ key: d.keyId }],
    [{ subject: 'user_123' }],
    [{ subject: 'user_123', issuer }],
    [{ delegation: 'token-1' }],
    [{ delegation: 'token-1', issuer }],
    [{ delegation: 'link-agent-b' }],
    [{ delegation: 'link-agent-b', issuer: b.id }],
    [{ delegation: 'link-agent-c', issuer: c.id }],
    [{ issuer }],
  ])('%j', (revocation) => {
    expect(isRevoked(mixed(), revocation)).toBe(true);
  });
});

describe('a chain is not revoked by', () => {
  it.each<[Revocable]>([
    [{ agent: 'agent-e' }],
    [{ key: agent('agent-e').keyId }],
    [{ subject: 'user_456' }],
    [{ subject: 'user_123', issuer: 'https://id.partner.example' }],
    [{ subject: d.id }],
    [{ delegation: 'token-1', issuer: 'https://id.partner.example' }],
    [{ delegation: 'link-agent-b', issuer }],
    [{ delegation: 'link-agent-b', issuer: c.id }],
    [{ issuer: 'https://id.partner.example' }],
    [{ issuer: b.id }],
  ])('%j', (revocation) => {
    expect(isRevoked(mixed(), revocation)).toBe(false);
  });
});

describe('a chain whose token was exchanged from others', () => {
  const login = 'https://login.acme.dev';
  const ancestors = [
    { delegationId: 'token-0', keyId: a.keyId },
    { issuer: login, delegationId: 'sign-in', keyId: agent('agent-e').keyId },
  ];
  const acting = delegatedChain({
    root: { token: { ...token, ancestors }, tokenHash: 'h0' },
    links: [{ claims: link(b, c, 'h0'), hash: 'h1', delegator: b }],
    actor: c,
    maxDepth: 5,
  });
  if (!acting.ok) throw new Error(acting.code);
  const { chain } = acting;

  it.each<[Revocable, boolean]>([
    [{ delegation: 'token-0' }, true],
    [{ delegation: 'token-0', issuer }, true],
    [{ delegation: 'token-0', issuer: login }, false],
    [{ key: a.keyId }, true],
    [{ delegation: 'sign-in' }, true],
    [{ delegation: 'sign-in', issuer: login }, true],
    [{ delegation: 'sign-in', issuer }, false],
    [{ key: agent('agent-e').keyId }, true],
    [{ issuer: login }, true],
    [{ issuer: 'https://id.partner.example' }, false],
  ])('is revoked by %j: %s [C7]', (revocation, ends) => {
    expect(isRevoked(chain, revocation)).toBe(ends);
  });
});

describe('an agent that an issuer names is revoked by either of its names [C7]', () => {
  const plain = namesInChain(mixed(), 'acme:');
  it.each<[Revocable, boolean]>([
    [{ agent: 'acme:agent-a' }, true],
    [{ agent: 'acme:agent-b' }, true],
    [{ delegation: 'link-agent-b', issuer: 'acme:agent-b' }, true],
    [{ agent: 'acme:agent-c' }, false],
    [{ agent: 'acme:user_123' }, false],
  ])('with %j: %s', (revocation, ends) => {
    expect(plain.has(revocationKey(revocation))).toBe(ends);
  });

  it('by the short name when the token uses the long one', () => {
    const acting = delegatedChain({
      root: { token: { ...token, actor: { subject: 'acme:agent-b' } }, tokenHash: 'h0' },
      links: [],
      actor: { ...b, id: 'acme:agent-b' },
      maxDepth: 5,
    });
    if (!acting.ok) throw new Error(acting.code);
    expect(namesInChain(acting.chain, 'acme:').has(revocationKey({ agent: 'agent-b' }))).toBe(true);
  });
});

it.each<[Revocable, boolean]>([
  [{ subject: 'acme:user_123' }, true],
  [{ subject: 'acme:user_123', issuer }, true],
  [{ subject: 'user_123', issuer }, true],
  [{ subject: 'user_123', issuer: 'https://id.partner.example' }, false],
  [{ subject: 'user_123' }, false],
])('a subject within a namespace is revoked by %j: %s [C7]', (revocation, ends) => {
  const acting = delegatedChain({
    root: { token: { ...token, subject: 'acme:user_123' }, tokenHash: 'h0' },
    links: [],
    actor: b,
    maxDepth: 5,
  });
  if (!acting.ok) throw new Error(acting.code);
  expect(namesInChain(acting.chain, 'acme:').has(revocationKey(revocation))).toBe(ends);
});

describe('an agent that acts for itself', () => {
  const acting = delegatedChain({ root: {}, links: [], actor: a, maxDepth: 5 });
  if (!acting.ok) throw new Error(acting.code);
  const { chain } = acting;

  it('is revoked as agent, key and subject, and by no issuer', () => {
    for (const revocation of [{ agent: a.id }, { key: a.keyId }, { subject: a.id }]) {
      expect(isRevoked(chain, revocation)).toBe(true);
    }
    expect(isRevoked(chain, { issuer })).toBe(false);
  });

  it('delegates by a link that is revoked with its delegator [C7]', () => {
    const handed = delegatedChain({
      root: {},
      links: [{ claims: link(a, b, undefined), hash: 'h1', delegator: a }],
      actor: b,
      maxDepth: 5,
    });
    if (!handed.ok) throw new Error(handed.code);
    for (const revocation of [{ agent: a.id }, { key: a.keyId }, { subject: a.id }, { delegation: 'link-agent-a' }]) {
      expect(isRevoked(handed.chain, revocation)).toBe(true);
    }
  });
});

it('namesInChain yields each name once, the actor first', () => {
  const named = namesInChain(mixed());
  expect([...named.values()].slice(0, 2)).toEqual([{ agent: d.id }, { key: d.keyId }]);
  for (const [key, one] of named) expect(key).toBe(revocationKey(one));
});
