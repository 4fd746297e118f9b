import { describe, expect, it } from 'vitest';
import type { AgentDirectory } from '../../src/keys/directory.js';
import { agents, guarded, letIn } from '../guarded.js';

/** A value and everything in it. */
function partsOf(value: unknown): readonly object[] {
  return typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(partsOf)] : [];
}

/** The shared directory, with lists that can still be changed. */
function directoryOf(roles: string[], capabilities: string[]): AgentDirectory {
  return {
    ...agents,
    async findByThumbprint(thumbprint) {
      const found = await agents.findByThumbprint(thumbprint);
      return found.kind === 'found' ? { ...found, agent: { ...found.agent, roles, capabilities } } : found;
    },
    statusOf: (id) => agents.statusOf(id),
  };
}

const details = [{ type: 'thing', actions: ['thing.read'], more: { nested: ['a'] } }];

describe('a caller', () => {
  it.each([
    ['itself', undefined],
    ['a user', {}],
    ['a user, with details', { authorization_details: details }],
    ['an agent that handed on', 'agent-b' as const],
  ])('is frozen throughout when it acts for %s', async (_title, claims) => {
    const { guard } = await guarded();
    const caller = await letIn(guard, claims);
    expect(partsOf(caller).length).toBeGreaterThan(8);
    expect(partsOf(caller).every(Object.isFrozen)).toBe(true);
  });

  it('does not follow the lists of its directory, and leaves them as they are', async () => {
    const [roles, capabilities] = [['reader'], ['thing']];
    const { guard } = await guarded({ agents: directoryOf(roles, capabilities) });
    const { actor, scope } = await letIn(guard);
    roles.push('admin');
    capabilities.push('everything');
    expect({ ...actor, scope }).toMatchObject({ roles: ['reader'], capabilities: ['thing'], scope: ['thing'] });
  });
});
