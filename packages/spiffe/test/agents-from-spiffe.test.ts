import { describe, expect, it } from 'vitest';
import { agentsFromSpiffe, type SpiffeAgentsOptions } from '../src/index.js';

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
