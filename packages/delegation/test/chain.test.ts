import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Chain, type DelegatedChain, effectiveScope, type Hop } from '../src/chain.js';
import { delegatedChain } from '../src/delegated-chain.js';
import type { DelegationRefusal } from '../src/refusal.js';
import { intersectScopes, type Scope, scopeCovers } from '../src/scope.js';
import { AGENT, claimsWith, NOW, OTHER_THUMBPRINT, RFC8037_JWK, RFC8037_THUMBPRINT } from './support.js';

/** The chain of an agent that acts for itself. */
function direct(actor: typeof AGENT): DelegatedChain {
  const result = delegatedChain({ root: {}, links: [], actor, maxDepth: 0 });
  if (!result.ok) throw new Error(result.code);
  return result;
}

/** The chain of a token without links. */
function byToken(
  replaced: Record<string, unknown> = {},
  agent: Partial<typeof AGENT> = {},
  options: { readonly maxDepth?: number } = {},
): DelegatedChain | DelegationRefusal {
  const root = { token: claimsWith(replaced), tokenHash: OTHER_THUMBPRINT };
  return delegatedChain({ root, links: [], actor: { ...AGENT, ...agent }, maxDepth: 5, ...options });
}

function asserted(replaced: Record<string, unknown> = {}, agent: Partial<typeof AGENT> = {}): string {
  const result = byToken(replaced, agent);
  return result.ok ? result.effectiveScope.join(' ') : result.code;
}

describe('an agent without a token', () => {
  it('forms a chain of the agent alone, with all its capabilities', () => {
    expect(direct(AGENT)).toEqual({
      ok: true,
      chain: [
        {
          id: 'agent-1',
          type: 'agent',
          proof: 'signature',
          keyId: RFC8037_THUMBPRINT,
          scope: ['pr', 'repo:read', 'release'],
        },
      ],
      effectiveScope: ['pr', 'release', 'repo:read'],
    });
  });
});

describe('a token', () => {
  it('forms a chain from the subject to the actor, with the rights of both', () => {
    const token = { issuer: 'https://id.example', expiresAt: NOW + 300, scope: ['repo:read', 'pr:write', 'admin'] };
    expect(byToken({ scope: 'repo:read pr:write admin' })).toEqual({
      ok: true,
      chain: [
        { id: 'user_123', type: 'user', proof: 'issuer', ...token },
        {
          id: 'agent-1',
          type: 'agent',
          proof: 'issuer',
          keyId: RFC8037_THUMBPRINT,
          delegationId: 'delegation-1',
          ...token,
        },
      ],
      effectiveScope: ['pr:write', 'repo:read'],
    });
  });

  it('can name an agent as the subject', () => {
    const result = byToken({ sub: 'agent-0', sub_profile: 'ai_agent' });
    expect(result.ok && result.chain.map((hop) => hop.type)).toEqual(['agent', 'agent']);
  });

  it('shows earlier actors as history, oldest first, without effect on the rights [C4]', () => {
    const act = { sub: 'agent-1', act: { sub: 'agent-b', act: { sub: 'agent-a' } } };
    const result = byToken({ act });
    if (!result.ok) throw new Error(result.code);
    expect(result.chain.map(({ id, type, proof }) => [id, type, proof])).toEqual([
      ['user_123', 'user', 'issuer'],
      ['agent-a', 'agent', 'issuer'],
      ['agent-b', 'agent', 'issuer'],
      ['agent-1', 'agent', 'issuer'],
    ]);
    expect(result.effectiveScope.join(' ')).toBe(asserted());
    // Its key and the delegation to it are unknown.
    const { expiresAt, scope } = claimsWith();
    const issuer = 'https://id.example';
    expect(result.chain[1]).toEqual({ id: 'agent-a', type: 'agent', proof: 'issuer', issuer, expiresAt, scope });
  });

  it('grants nothing to an earlier actor [C4]', () => {
    const act = { sub: 'agent-2', act: { sub: 'agent-1' } };
    expect(asserted({ act })).toBe('actor_mismatch');
  });

  it('counts earlier actors in the depth [C1]', () => {
    const act = { sub: 'agent-1', act: { sub: 'agent-b', act: { sub: 'agent-a' } } };
    expect(byToken({ act }, {}, { maxDepth: 3 }).ok).toBe(true);
    expect(byToken({ act }, {}, { maxDepth: 2 })).toMatchObject({ code: 'delegation_too_deep' });
    expect(byToken({}, {}, { maxDepth: 0 })).toMatchObject({ code: 'delegation_too_deep' });
    expect(byToken({}, {}, { maxDepth: NaN })).toMatchObject({ code: 'delegation_too_deep' });
  });

  it('applies its authorization_details to the hop of its actor', () => {
    const details = [{ type: 'Repo', identifier: 'acme/api' }];
    const result = byToken({ authorization_details: details });
    if (!result.ok) throw new Error(result.code);
    expect(result.authorizationDetails).toEqual([details]);
    expect(result.chain.map((hop) => hop.authorizationDetails)).toEqual([undefined, details]);
    expect(byToken({})).not.toHaveProperty('authorizationDetails');
  });

  it('is usable by its actor when it forbids further delegation', () => {
    expect(byToken({ max_hops: 0 }).ok).toBe(true);
  });

  it('is refused when actor and subject are exchanged [C2]', () => {
    expect(asserted({ sub: 'agent-1', act: { sub: 'user_123' }, client_id: undefined })).toBe('actor_mismatch');
  });

  it('is refused without an actor when the agent is not its subject [C3]', () => {
    expect(asserted({ act: undefined })).toBe('actor_missing');
    expect(asserted({ act: undefined, may_act: { sub: 'agent-1' } })).toBe('actor_missing');
  });

  it.each([['agent-2'], ['Agent-1'], ['agent-11'], ['agent-'], ['\u0430gent-1'], ['user_123 agent-1']])(
    'refuses the actor %j when agent-1 signed [C4]',
    (sub) => {
      expect(asserted({ act: { sub } })).toBe('actor_mismatch');
    },
  );

  it('is refused when it is bound to another key [B8]', () => {
    expect(asserted({ cnf: { jkt: OTHER_THUMBPRINT } })).toBe('confirmation_mismatch');
    expect(asserted({ cnf: { jwk: RFC8037_JWK } }, { keyId: OTHER_THUMBPRINT })).toBe('confirmation_mismatch');
    expect(asserted({ act: undefined, sub: 'agent-1', cnf: { jkt: OTHER_THUMBPRINT } })).toBe('confirmation_mismatch');
    expect(asserted({ cnf: { jkt: RFC8037_THUMBPRINT } })).toBe('pr:write repo:read');
    expect(asserted({ cnf: { jwk: RFC8037_JWK } })).toBe('pr:write repo:read');
  });

  it('grants nothing when it has no scope or the agent has no capabilities [C6]', () => {
    expect(asserted({ scope: undefined })).toBe('');
    expect(asserted({ scope: 'admin' })).toBe('');
    expect(asserted({}, { capabilities: [] })).toBe('');
  });

  it('never grants more than its scope or the capabilities of the agent [C6]', () => {
    const scope = fc.array(fc.constantFrom('a', 'a:b', 'a:b:c', 'a:d', 'e', 'e:f'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(scope, scope, (granted, capabilities) => {
        const result = byToken({ scope: granted.join(' ') }, { capabilities });
        expect(result.ok && result.effectiveScope).toEqual(intersectScopes(granted, capabilities));
      }),
    );
  });

  it('lets an agent that is its subject act directly, with no more rights than without the token', () => {
    const own = { sub: 'agent-1', act: undefined };
    expect(asserted({ ...own, scope: 'pr:write admin' })).toBe('pr:write');
    expect(asserted({ ...own, scope: undefined })).toBe(direct(AGENT).effectiveScope.join(' '));
    expect(byToken({ ...own, scope: 'pr:write' })).toEqual({
      ok: true,
      chain: [
        {
          id: 'agent-1',
          type: 'agent',
          proof: 'signature',
          issuer: 'https://id.example',
          keyId: RFC8037_THUMBPRINT,
          delegationId: 'delegation-1',
          scope: ['pr:write'],
          expiresAt: NOW + 300,
        },
      ],
      effectiveScope: ['pr:write'],
    });
  });

  it('omits the delegation id when it has none', () => {
    const result = byToken({ jti: undefined });
    expect(result.ok && result.chain.some((hop) => 'delegationId' in hop)).toBe(false);
  });
});

describe('a chain', () => {
  it('is frozen, and does not change with its input', () => {
    const capabilities = ['pr'];
    const result = direct({ ...AGENT, capabilities });
    capabilities.push('admin');
    expect(result.effectiveScope).toEqual(['pr']);
    const [hop] = result.chain;
    for (const part of [result, result.chain, hop, hop.scope, result.effectiveScope]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('allows exactly the intersection of every hop and the capabilities of the actor (law) [C6]', () => {
    const universe = ['a', 'a:b', 'a:b:c', 'a:d', 'ab', 'ab:c'];
    const scope = fc.array(fc.constantFrom(...universe), { maxLength: 4 });
    const hop = scope.map((held): Hop => ({ id: 'x', type: 'agent', proof: 'issuer', scope: held }));
    const hops = fc.tuple(hop, fc.array(hop, { maxLength: 4 })).map(([first, rest]): Chain => [first, ...rest]);
    fc.assert(
      fc.property(hops, scope, (chain, capabilities) => {
        const everyone: Scope[] = [capabilities, ...chain.map((member) => member.scope)];
        const effective = effectiveScope(chain, capabilities);
        for (const wanted of universe) {
          expect(scopeCovers(effective, wanted)).toBe(everyone.every((held) => scopeCovers(held, wanted)));
        }
      }),
    );
  });

  it('allows exactly the scopes that everyone holds when scopes match exactly (law) [C6]', () => {
    const chain: Chain = [
      { id: 'x', type: 'agent', proof: 'issuer', scope: ['a', 'a:b', 'c'] },
      { id: 'y', type: 'agent', proof: 'issuer', scope: ['a', 'a:b:c', 'c'] },
    ];
    expect(effectiveScope(chain, ['a', 'a:b'])).toEqual(['a']);
    expect(effectiveScope(chain, ['a', 'a:b'], 'exact')).toEqual(['a']);
    expect(effectiveScope(chain, ['a:b:c'])).toEqual(['a:b:c']);
    expect(effectiveScope(chain, ['a:b:c'], 'exact')).toEqual([]);
  });
});
