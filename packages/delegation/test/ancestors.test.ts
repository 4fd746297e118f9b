import { describe, expect, it } from 'vitest';
import { ancestorsByExchange, ancestorsClaim, delegatedChain, maxAncestors } from '../src/index.js';
import { AGENT, agentNamed, claimsWith, linkWith, OTHER_THUMBPRINT, RFC8037_THUMBPRINT, verdict } from './support.js';

const jkt = OTHER_THUMBPRINT;
const elsewhere = 'https://login.example';

describe('the ancestors of a token', () => {
  it('are read in order, and name another issuer only', () => {
    const ancestors = [{ jti: 'd-2', jkt, more: 1 }, { jti: 'd-1', iss: 'https://id.example' }, { iss: elsewhere }];
    expect(claimsWith({ ancestors }).ancestors).toEqual([
      { delegationId: 'd-2', keyId: jkt },
      { delegationId: 'd-1' },
      { issuer: elsewhere },
    ]);
    expect(claimsWith({}).ancestors).toBeUndefined();
  });

  it.each([
    [null],
    ['d-1'],
    [{ jti: 'd-1' }],
    [[]],
    [['d-1']],
    [[{}]],
    [[{ sub: 'agent-1' }]],
    [[{ jti: 'd-1' }, { jti: '' }]],
    [[{ jti: 7 }]],
    [[{ jti: null, jkt }]],
    [[{ jti: 'd-1', jkt: 'short' }]],
    [[{ jti: 'd-1', jkt: { x: jkt } }]],
    [[{ jti: 'd-1', iss: '' }]],
    [[{ jti: 'd-1', iss: ['https://id.example'] }]],
    [Array.from({ length: maxAncestors + 1 }, (_, index) => ({ jti: `d-${index}` }))],
  ])('are refused as malformed when they are %j [C7]', (ancestors) => {
    expect(verdict({ ancestors })).toBe('ancestors_malformed');
  });

  it('are taken from no prototype [B2]', () => {
    expect(verdict({ ancestors: [JSON.parse('{"__proto__": {"jti": "d-1"}}')] })).toBe('ancestors_malformed');
  });

  it('are the token that is exchanged, and its own', () => {
    const ancestors = [{ jti: 'd-1', iss: elsewhere }];
    const token = claimsWith({ jti: 'd-2', cnf: { jkt: RFC8037_THUMBPRINT }, ancestors });
    const claim = ancestorsClaim(ancestorsByExchange(token));
    expect(claim).toEqual({ ancestors: [{ jti: 'd-2', jkt: RFC8037_THUMBPRINT }, ...ancestors] });
    expect(claimsWith({ ...claim }).ancestors).toEqual(ancestorsByExchange(token));
    expect(ancestorsClaim(ancestorsByExchange(claimsWith({ jti: undefined })))).toEqual({});
  });

  it('are at most as many as are read', () => {
    const many = Array.from({ length: maxAncestors }, (_, index) => ({ jti: `d-${index}` }));
    const more = ancestorsByExchange(claimsWith({ ancestors: many }));
    expect([more.length, verdict({ ...ancestorsClaim(more) })]).toEqual([maxAncestors + 1, 'ancestors_malformed']);
  });

  it('are those of the hop to which the token leads, whatever links follow', () => {
    const token = claimsWith({ act: { sub: 'agent-1', act: { sub: 'agent-0' } }, ancestors: [{ jti: 'd-0', jkt }] });
    const acting = delegatedChain({
      root: { token, tokenHash: OTHER_THUMBPRINT },
      links: [{ claims: linkWith({ pth: OTHER_THUMBPRINT }), hash: 'h1', delegator: AGENT }],
      actor: agentNamed('agent-2'),
      maxDepth: 5,
    });
    if (!acting.ok) throw new Error(acting.code);
    const ancestors = [{ delegationId: 'd-0', keyId: jkt }];
    expect(acting.chain.map((hop) => hop.ancestors)).toEqual([undefined, undefined, ancestors, undefined]);
    // No proof of that key was presented.
    expect(acting.chain[1]?.keyId).toBeUndefined();
  });
});
