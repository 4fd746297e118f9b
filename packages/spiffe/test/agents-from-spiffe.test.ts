import { describe, expect, it } from 'vitest';
import { trustDomain } from '../../../test/support/trust-domain.js';
import { agentsFromSpiffe, type SpiffeAgentsOptions } from '../src/index.js';
import { splitUnquoted, uriNames } from '../src/x509-svid.js';

describe('agentsFromSpiffe', () => {
  const trustDomains = { 'example.org': { file: 'bundle.json' } };
  it.each([
    [{ trustDomains }, "'agents' must say"],
    [{ trustDomains, agents: [] }, "'agents' must say"],
    [{ trustDomains, agents: [{ id: 'agent-a' }] }, 'must be a SPIFFE ID'],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org' }] }, 'must be a SPIFFE ID'],
    [{ trustDomains, agents: [{ id: 'spiffe://other.org/a' }] }, "one of 'trustDomains'"],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a', role: 'x' }] }, "Did you mean 'roles'"],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a', roles: 'x' }] }, 'lists of names'],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a', status: 'off' }] }, "'status' is"],
    [{ agents: [{ id: 'spiffe://example.org/a' }] }, "one of 'trustDomains'"],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a' }], clock: Date.now }, 'unknown option'],
  ])('is refused with %j [G5]', async (options, problem) => {
    await expect(agentsFromSpiffe(options as unknown as SpiffeAgentsOptions)).rejects.toThrow(problem);
  });
});

describe('the URIs of a certificate', () => {
  it('are not found within other names [Q4]', () => {
    const { certificate } = trustDomain().ca.issue({ uris: [], dns: ['a, URI:spiffe://example.org/agent/a'] });
    expect(uriNames(certificate)).toEqual([]);
  });

  it('are split outside of quotes only', () => {
    expect(splitUnquoted(String.raw`a,"b,\",c",d`, ',')).toEqual(['a', String.raw`"b,\",c"`, 'd']);
    expect(splitUnquoted('a,"b', ',')).toBeUndefined();
  });
});
