import type { Caller } from '@countersign/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSeal } from '../../src/decide/seal.js';

function callerOf(agent: string, subject: Caller['subject'] = { id: agent, type: 'agent' }): Caller {
  return { actor: { id: agent }, subject } as Caller;
}

const alice = callerOf('agent-a', { id: 'alice', type: 'user', issuer: 'https://id.acme.dev' });

describe('a seal', () => {
  const { seal, unseal } = createSeal();

  it('opens for the caller and purpose that it was made for', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(unseal(seal(value, 'session', alice), 'session', alice)).toBe(value);
      }),
    );
  });

  it.each([
    ['another agent', callerOf('agent-b', alice.subject)],
    ['another user', callerOf('agent-a', { id: 'bob', type: 'user', issuer: 'https://id.acme.dev' })],
    ['the same name of another issuer', callerOf('agent-a', { id: 'alice', type: 'user', issuer: 'https://id.other' })],
    ['the agent for itself', callerOf('agent-a')],
    ['an agent with the name of the user', callerOf('agent-a', { id: 'alice', type: 'agent' })],
  ])('stays shut for %s', (_who, other) => {
    expect(unseal(seal('id', 'session', alice), 'session', other)).toBeUndefined();
  });

  it('stays shut for another purpose, another value, another key, and values that were never sealed', () => {
    const sealed = seal('id', 'session', alice);
    expect(unseal(sealed, 'state', alice)).toBeUndefined();
    expect(unseal(`aWQ${sealed}`, 'session', alice)).toBeUndefined();
    expect(createSeal().unseal(sealed, 'session', alice)).toBeUndefined();
    for (const value of ['', 'id', 'id.', '.', sealed.slice(0, -1), `${sealed}=`]) {
      expect(unseal(value, 'session', alice)).toBeUndefined();
    }
  });

  it('opens in another process with the same key', () => {
    const key = Buffer.alloc(32, 7);
    expect(createSeal(key).unseal(createSeal(key).seal('id', 'session', alice), 'session', alice)).toBe('id');
  });
});
