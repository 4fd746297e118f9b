import { describe, expect, it } from 'vitest';
import type { ActingAgent, DelegatedChain } from '../src/chain.js';
import { delegatedChain, type DelegatedChainOptions, type VerifiedLink } from '../src/delegated-chain.js';
import type { DelegationRefusal } from '../src/refusal.js';
import { agentNamed, claimsWith, linkWith, NOW, OTHER_THUMBPRINT } from './support.js';

const [agent1, agent2, agent3, agent4] = ['agent-1', 'agent-2', 'agent-3', 'agent-4'].map((id) => agentNamed(id)) as [
  ActingAgent,
  ActingAgent,
  ActingAgent,
  ActingAgent,
];

const TOKEN_HASH = 'hash-of-the-token';

/** A token that gives user_123's `repo` and `pr:write` to agent-1. */
const root = (replaced: Record<string, unknown> = {}): DelegatedChainOptions['root'] => ({
  token: claimsWith({ scope: 'repo pr:write', client_id: 'console', ...replaced }),
  tokenHash: TOKEN_HASH,
});

/** The links from each agent to the next, each with the hash of its parent; `replaced` overrides claims per link. */
function linksFrom(
  delegators: readonly ActingAgent[],
  ...replaced: readonly Record<string, unknown>[]
): readonly VerifiedLink[] {
  return delegators.map((delegator, index) => {
    const claims = linkWith({
      iss: delegator.id,
      sub: `agent-${index + 2}`,
      scope: 'repo',
      jti: `link-${index + 1}`,
      ...replaced[index],
    });
    // Not a real hash: delegatedChain only compares.
    const parentHash = index === 0 ? TOKEN_HASH : `hash-${index}`;
    return { claims: { ...claims, parentHash }, hash: `hash-${index + 1}`, delegator };
  });
}

/** The first link without pth, as in a chain without a token. */
function withoutParent([first, ...rest]: readonly VerifiedLink[]): readonly VerifiedLink[] {
  if (first === undefined) return [];
  const { parentHash: _, ...claims } = first.claims;
  return [{ ...first, claims }, ...rest];
}

function chain(options: Partial<DelegatedChainOptions>): DelegatedChain | DelegationRefusal {
  return delegatedChain({ root: root(), links: [], actor: agent1, maxDepth: 5, ...options });
}

/** The effective scope, or the code of the refusal. */
function outcome(options: Partial<DelegatedChainOptions>): string {
  const result = chain(options);
  return result.ok ? result.effectiveScope.join(' ') : result.code;
}

/** The outcome for a token and one link with replaced claims. */
const one = (link: Record<string, unknown>, token: Record<string, unknown> = {}): string =>
  outcome({ root: root(token), links: linksFrom([agent1], link), actor: agent2 });

/** The outcome for a token and two links. */
const two = (first: Record<string, unknown>, second: Record<string, unknown>, token = {}): string =>
  outcome({ root: root(token), links: linksFrom([agent1, agent2], first, second), actor: agent3 });

describe('a token and links', () => {
  it('form a chain from the subject through every agent to the actor, each hop with its proof', () => {
    const links = linksFrom([agent1, agent2], { scope: 'repo' }, { scope: 'repo:read', exp: NOW + 30 });
    expect(chain({ links, actor: agent3 })).toEqual({
      ok: true,
      chain: [
        {
          id: 'user_123',
          type: 'user',
          proof: 'issuer',
          issuer: 'https://id.example',
          scope: ['repo', 'pr:write'],
          expiresAt: NOW + 300,
        },
        {
          id: 'agent-1',
          type: 'agent',
          proof: 'issuer',
          issuer: 'https://id.example',
          keyId: agent1.keyId,
          delegationId: 'delegation-1',
          scope: ['repo', 'pr:write'],
          expiresAt: NOW + 300,
        },
        {
          id: 'agent-2',
          type: 'agent',
          proof: 'signature',
          keyId: agent2.keyId,
          delegationId: 'link-1',
          scope: ['repo'],
          expiresAt: NOW + 60,
        },
        {
          id: 'agent-3',
          type: 'agent',
          proof: 'signature',
          keyId: agent3.keyId,
          delegationId: 'link-2',
          scope: ['repo:read'],
          expiresAt: NOW + 30,
        },
      ],
      effectiveScope: ['repo:read'],
    });
  });

  it("may begin with an agent's own rights", () => {
    const links = withoutParent(linksFrom([agent1, agent2]));
    const result = chain({ root: {}, links, actor: agent3 });
    if (!result.ok) throw new Error(result.code);
    expect(result.chain.map(({ id, proof, issuer }) => [id, proof, issuer])).toEqual([
      ['agent-1', 'signature', undefined],
      ['agent-2', 'signature', undefined],
      ['agent-3', 'signature', undefined],
    ]);
    expect(result.effectiveScope).toEqual(['repo']);
  });

  it('may begin with a token about the agent itself, which without a scope grants all its capabilities', () => {
    const own = { sub: 'agent-1', act: undefined };
    expect(one({ scope: 'release' }, { ...own, scope: undefined })).toBe('release');
    expect(one({ scope: 'release' }, own)).toBe('scope_wider');
    expect(one({ scope: 'pr:write:draft' }, own)).toBe('pr:write:draft');
  });

  it('are narrowed silently to the capabilities of each signer', () => {
    const poor = agentNamed('agent-2', ['repo:read:public', 'pr']);
    const links = linksFrom([agent1, poor]);
    expect(outcome({ links, actor: agent3 })).toBe('repo:read:public');
    expect(outcome({ links, actor: agentNamed('agent-3', ['pr']) })).toBe('');
    expect(outcome({ links: linksFrom([agentNamed('agent-1', ['pr'])]), actor: agent2 })).toBe('');
  });

  it('are frozen', () => {
    const details = [{ type: 'Repo' }];
    const result = chain({ links: linksFrom([agent1], { authorization_details: details }), actor: agent2 });
    if (!result.ok) throw new Error(result.code);
    const hop = result.chain[2];
    for (const part of [
      result,
      result.chain,
      hop,
      hop?.scope,
      hop?.authorizationDetails,
      result.authorizationDetails,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

describe('delegator and delegate', () => {
  it('a chain is refused when the actor is not the delegate of the last link [C2]', () => {
    expect(outcome({ links: linksFrom([agent1]), actor: agent3 })).toBe('link_delegate_mismatch');
    // Its delegator cannot use it either; it acts by itself without the link.
    expect(outcome({ links: linksFrom([agent1]), actor: agent1 })).toBe('link_delegate_mismatch');
  });

  it('a link is refused when its signer is not its iss [C2]', () => {
    expect(one({ iss: 'agent-3' })).toBe('link_signer_mismatch');
    const [link] = linksFrom([agent1]);
    if (link === undefined) throw new Error('no link');
    // Mallory's key under a link whose iss is agent-1.
    const forged = [{ ...link, delegator: agentNamed('mallory') }];
    expect(outcome({ root: {}, links: withoutParent(forged), actor: agent2 })).toBe('link_signer_mismatch');
  });

  it('a chain is refused when a link in the middle is missing [C3]', () => {
    const [first, , third] = linksFrom([agent1, agent2, agent3]);
    if (first === undefined || third === undefined) throw new Error('no links');
    expect(outcome({ links: [first, third], actor: agent4 })).toBe('link_delegate_mismatch');
  });

  it('a chain is refused when its last link is missing [C3]', () => {
    expect(outcome({ links: linksFrom([agent1]), actor: agent3 })).toBe('link_delegate_mismatch');
  });

  it('a chain is refused when its links are in another order [C2]', () => {
    const links = linksFrom([agent1, agent2]).toReversed();
    expect(outcome({ links, actor: agent2 })).toBe('actor_mismatch');
    expect(outcome({ root: {}, links: withoutParent(links), actor: agent2 })).toBe('link_delegate_mismatch');
  });

  it('a link is refused when its delegator is not the actor of the token [C2]', () => {
    expect(outcome({ links: linksFrom([agent2], { sub: 'agent-3' }), actor: agent3 })).toBe('actor_mismatch');
  });

  it('a link is refused when its delegator is an earlier actor [C4]', () => {
    const act = { sub: 'agent-9', act: { sub: 'agent-1' } };
    expect(one({}, { act })).toBe('actor_mismatch');
  });

  it("a link does not make a user's plain token a delegation, even where may_act would allow one [C9]", () => {
    expect(one({}, { act: undefined })).toBe('actor_missing');
    expect(one({}, { act: undefined, may_act: { sub: 'agent-1' } })).toBe('actor_missing');
  });
});

describe('the parent of a link', () => {
  const [link] = linksFrom([agent1]);
  if (link === undefined) throw new Error('no link');

  it('must be the token sent with it [C2]', () => {
    const other: DelegatedChainOptions['root'] = { token: claimsWith(), tokenHash: 'hash-of-another' };
    expect(outcome({ root: other, links: [link], actor: agent2 })).toBe('link_parent_mismatch');
  });

  it('must be the link before it [C2]', () => {
    const [first, second] = linksFrom([agent1, agent2]);
    if (first === undefined || second === undefined) throw new Error('no links');
    const wider = { ...first, hash: 'hash-of-another' };
    expect(outcome({ links: [wider, second], actor: agent3 })).toBe('link_parent_mismatch');
  });

  it('must be present exactly when the link has a pth [C2]', () => {
    expect(outcome({ links: withoutParent([link]), actor: agent2 })).toBe('link_parent_mismatch');
    expect(outcome({ root: {}, links: [link], actor: agent2 })).toBe('link_parent_mismatch');
    const [first, second] = linksFrom([agent1, agent2]);
    if (first === undefined || second === undefined) throw new Error('no links');
    const rootless = [first, ...withoutParent([second])];
    expect(outcome({ links: rootless, actor: agent3 })).toBe('link_parent_mismatch');
  });

  it('is not treated as absent when the program omits the hash of a token [C2]', () => {
    const forgotten = { token: root().token, tokenHash: undefined } as unknown as DelegatedChainOptions['root'];
    expect(outcome({ root: forgotten, links: withoutParent([link]), actor: agent2 })).toBe('link_parent_mismatch');
    expect(outcome({ root: forgotten, links: [link], actor: agent2 })).toBe('link_parent_mismatch');
  });
});

describe('keys', () => {
  it('a link is refused when its key is not the one its token is bound to [B8]', () => {
    expect(one({}, { cnf: { jkt: OTHER_THUMBPRINT } })).toBe('confirmation_mismatch');
    expect(one({}, { cnf: { jkt: agent1.keyId } })).toBe('repo');
    // The delegate signs with its own key; the token is bound to another.
    expect(one({}, { cnf: { jkt: agent2.keyId } })).toBe('confirmation_mismatch');
  });

  it('a chain is refused when its key is not the one its link is bound to [B8]', () => {
    expect(one({ cnf: { jkt: OTHER_THUMBPRINT } })).toBe('link_confirmation_mismatch');
    expect(one({ cnf: { jkt: agent2.keyId } })).toBe('repo');
    expect(two({ cnf: { jkt: OTHER_THUMBPRINT } }, {})).toBe('link_confirmation_mismatch');
    expect(two({ cnf: { jkt: agent3.keyId } }, {})).toBe('link_confirmation_mismatch');
    expect(two({ cnf: { jkt: agent2.keyId } }, { cnf: { jkt: agent3.keyId } })).toBe('repo');
  });
});

describe('no agent twice', () => {
  it.each<[string, string, Record<string, unknown>]>([
    ['the actor of the token', 'agent-1', {}],
    ['the subject of the token', 'user_123', {}],
    ['one that acted before', 'agent-0', { act: { sub: 'agent-1', act: { sub: 'agent-0' } } }],
  ])('%s [C1]', (_, id, token) => {
    const actor = agentNamed(id);
    const links = linksFrom([agent1, agent2], {}, { sub: id });
    expect(outcome({ root: root(token), links, actor })).toBe('agent_repeated');
  });

  it('a ring of links [C1]', () => {
    const ring = withoutParent(linksFrom([agent1, agent2, agent3], {}, {}, { sub: 'agent-1' }));
    expect(outcome({ root: {}, links: ring, actor: agent1 })).toBe('agent_repeated');
  });
});

it('refuses a misspelt option, which would match scopes hierarchically [G5]', () => {
  expect(() => chain({ scopematch: 'exact' } as object)).toThrow("Did you mean 'scopeMatch'?");
});

describe('depth', () => {
  const links = linksFrom([agent1, agent2, agent3]);

  it.each([
    [4, 'repo'],
    [3, 'delegation_too_deep'],
    [0, 'delegation_too_deep'],
    [-1, 'delegation_too_deep'],
    [NaN, 'delegation_too_deep'],
  ])('one token and three links within %d: %s [C1]', (maxDepth, expected) => {
    expect(outcome({ links, actor: agent4, maxDepth })).toBe(expected);
  });

  it('counts earlier actors, but not an agent that acts for itself [C1]', () => {
    const deep = root({ act: { sub: 'agent-1', act: { sub: 'b', act: { sub: 'a' } } } });
    expect(outcome({ root: deep, links, actor: agent4, maxDepth: 6 })).toBe('repo');
    expect(outcome({ root: deep, links, actor: agent4, maxDepth: 5 })).toBe('delegation_too_deep');
    expect(outcome({ root: {}, links: withoutParent(links), actor: agent4, maxDepth: 3 })).toBe('repo');
    expect(outcome({ root: {}, maxDepth: 0 })).toBe('pr release repo');
  });
});

describe('max_hops', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    ['redelegation_forbidden', { max_hops: 0 }, {}, {}],
    ['redelegation_forbidden', { max_hops: 1 }, {}, {}],
    ['redelegation_forbidden', {}, { max_hops: 0 }, {}],
    ['redelegation_forbidden', { max_hops: 5 }, { max_hops: 0 }, {}],
    ['max_hops_wider', { max_hops: 1 }, { max_hops: 1 }, {}],
    ['max_hops_wider', { max_hops: 2 }, { max_hops: 2 }, {}],
    ['max_hops_wider', { max_hops: 3 }, {}, { max_hops: 2 }],
    ['max_hops_wider', {}, { max_hops: 1 }, { max_hops: 1 }],
    ['repo', { max_hops: 2 }, {}, {}],
    ['repo', { max_hops: 2 }, { max_hops: 1 }, { max_hops: 0 }],
    ['repo', {}, { max_hops: 1 }, {}],
    ['repo', {}, {}, { max_hops: 9 }],
  ])('%s: token %j, then %j, then %j [C6]', (expected, token, first, second) => {
    expect(two(first, second, token)).toBe(expected);
  });
});

describe('narrowing', () => {
  it.each([
    ['pr:write release', 'scope_wider'],
    ['pr', 'scope_wider'],
    ['pr:write:draft', 'pr:write:draft'],
    ['repo:read pr:write', 'pr:write repo:read'],
  ])('the scope %s is: %s [C6]', (scope, expected) => {
    expect(one({ scope })).toBe(expected);
  });

  it('a link is refused when its scope is a capability of its delegator but was not delegated to it [C6]', () => {
    expect(two({ scope: 'repo:read' }, { scope: 'repo' })).toBe('scope_wider');
    expect(two({ scope: 'repo:read' }, { scope: 'repo:read pr:write' })).toBe('scope_wider');
  });

  it('a link is refused when its delegated token has no scope [C6]', () => {
    expect(one({}, { scope: undefined })).toBe('scope_wider');
  });

  it('a link is refused when its scope lies below the parent scope and scopes match exactly [C6]', () => {
    const options = { links: linksFrom([agent1], { scope: 'repo:read' }), actor: agent2 };
    expect(outcome(options)).toBe('repo:read');
    expect(outcome({ ...options, scopeMatch: 'exact' })).toBe('scope_wider');
    // The links allow it, but the capabilities do not name it exactly.
    const same = { links: linksFrom([agent1], { scope: 'pr:write' }), actor: agent2 };
    expect(outcome({ ...same, scopeMatch: 'exact' })).toBe('');
    expect(outcome({ ...same, links: linksFrom([agent1]), scopeMatch: 'exact' })).toBe('repo');
  });

  it.each([
    ['hierarchical', 'exact', 'scope_match_mismatch'],
    ['exact', 'hierarchical', 'scope_match_mismatch'],
    ['exact', 'exact', 'pr:write repo'],
    ['hierarchical', 'hierarchical', 'pr:write repo'],
    [undefined, 'exact', 'pr:write repo'],
    ['exact', undefined, 'pr:write repo'],
  ] as const)(
    'a token of an issuer that compares scopes as %s is, by one that does as %s: %s [C6]',
    (token, here, expected) => {
      const capable = { ...agent1, capabilities: ['repo', 'pr:write'] };
      const options = { root: root({ scope_match: token }), actor: capable };
      expect(outcome({ ...options, ...(here !== undefined && { scopeMatch: here }) })).toBe(expected);
    },
  );

  it('links below a token match as its issuer does when nothing else is said [C6]', () => {
    const options = {
      root: root({ scope_match: 'exact' }),
      links: linksFrom([agent1], { scope: 'repo:read' }),
      actor: agent2,
    };
    expect(outcome(options)).toBe('scope_wider');
  });

  it('a link is refused when it outlives its parent [C6]', () => {
    expect(one({ exp: NOW + 300 })).toBe('repo');
    expect(one({ exp: NOW + 301 })).toBe('expiry_wider');
    expect(two({ exp: NOW + 60 }, { exp: NOW + 61 })).toBe('expiry_wider');
    expect(two({ exp: NOW + 60 }, { exp: NOW + 60 })).toBe('repo');
  });

  it('a link is refused when its parent does not have its audience [C6]', () => {
    const aud = ['https://api.example', 'https://b.example'];
    expect(one({ aud })).toBe('audience_wider');
    expect(one({ aud: 'https://api.example/' })).toBe('audience_wider');
    expect(one({ aud: 'https://b.example' }, { aud })).toBe('repo');
    expect(two({ aud: 'https://b.example' }, { aud }, { aud })).toBe('audience_wider');
  });

  it('a link is refused when its authorization_details exceed the nearest before it [C6]', () => {
    const api = { authorization_details: [{ type: 'Repo', identifier: 'acme/api' }] };
    const all = { authorization_details: [{ type: 'Repo' }] };
    expect(one(all, api)).toBe('authorization_details_wider');
    expect(one(api, all)).toBe('repo');
    expect(one(api)).toBe('repo');
    expect(two(api, all)).toBe('authorization_details_wider');
    // A link without details does not remove the details before it.
    expect(two({}, all, api)).toBe('authorization_details_wider');
    expect(two({}, api, api)).toBe('repo');
  });

  it('a chain has one list of details for each delegation that has one', () => {
    const all = [{ type: 'Repo' }];
    const api = [{ type: 'Repo', identifier: 'acme/api' }];
    const links = linksFrom([agent1, agent2], {}, { authorization_details: api });
    const result = chain({ root: root({ authorization_details: all }), links, actor: agent3 });
    expect(result.ok && result.authorizationDetails).toEqual([all, api]);
  });
});
