import { describe, expect, it } from 'vitest';
import type { Session } from '../../../src/model/caller.js';
import { chargeSession, Sessions, type SessionSource } from '../../../src/stages/chain/sessions.js';
import type { KeyHolder } from '../../../src/stages/possession/key-holder.js';
import type { VerifiedToken } from '../../../src/stages/token/token-verifier.js';

function holder(more: Partial<KeyHolder['agent']> = {}, thumbprint = 'key-1', vouchedBy = 'directory'): KeyHolder {
  const agent = { id: 'agent-1', roles: ['reader'], capabilities: ['a', 'b'], owner: 'o', status: 'active', ...more };
  return { agent, thumbprint, vouchedBy, publicKey: {} } as KeyHolder;
}

const token = { hash: 'token-hash' } as VerifiedToken;
const source: SessionSource = { token, names: ['agent-0'], links: ['l1', 'l2'], signers: [holder(), holder()] };
const session = { actor: { id: 'agent-1' }, scope: Object.freeze(['a']) } as unknown as Session;

/** The same credentials after a change of one of the things that a session depends on. */
const changes: Readonly<Record<string, Partial<SessionSource>>> = {
  'another token': { token: { hash: 'other-hash' } as VerifiedToken },
  'the same token verified anew': { token: { ...token } },
  'no token': { token: undefined },
  'another name of a prior actor': { names: ['ns:agent-0'] },
  'another link': { links: ['l1', 'l3'] },
  'one link less': { links: ['l1'] },
  'another key': { signers: [holder(), holder({}, 'key-2')] },
  'another key of a delegator': { signers: [holder({}, 'key-2'), holder()] },
  'another agent with the key': { signers: [holder(), holder({ id: 'agent-2' })] },
  'another owner': { signers: [holder(), holder({ owner: 'p' })] },
  'no role': { signers: [holder(), holder({ roles: [] })] },
  'another role': { signers: [holder(), holder({ roles: ['admin'] })] },
  'fewer capabilities': { signers: [holder(), holder({ capabilities: ['a'] })] },
  'fewer capabilities of a delegator': { signers: [holder({ capabilities: ['a'] }), holder()] },
  'a key that proves no more than a name': { signers: [holder(), { ...holder(), nameOnly: true }] },
  'a key that the issuer vouches for': { signers: [holder(), holder({}, 'key-1', 'issuer')] },
};

const ofAgent = (at: number): SessionSource => ({ ...source, signers: [holder({}, `key-${at}`)] });

describe('sessions', () => {
  it('are found by equal credentials and registrations', () => {
    const sessions = new Sessions();
    sessions.add(source, session);
    expect(sessions.find({ ...source, signers: [holder(), holder()] })?.session).toBe(session);
  });

  it.each(Object.keys(changes))('are not found with %s', (name) => {
    const sessions = new Sessions();
    sessions.add(source, session);
    expect(sessions.find({ ...source, ...changes[name] })).toBeUndefined();
    expect(sessions.find(source)?.session).toBe(session);
  });

  it('make room for what is kept with them [A16]', () => {
    const sessions = new Sessions();
    const scopes = ['one', 'two'].map((name) => Object.freeze([name]));
    for (const [at, scope] of scopes.entries()) sessions.add(ofAgent(at), { ...session, scope });
    expect(sessions.find(ofAgent(0))?.session.scope).toBe(scopes[0]);
    chargeSession(scopes[0] ?? [], 31 * 1024 ** 2);
    expect(sessions.find(ofAgent(1))?.session.scope).toBe(scopes[1]);
    chargeSession(scopes[1] ?? [], 1024 ** 2);
    expect(sessions.find(ofAgent(0))).toBeUndefined();
    expect(sessions.find(ofAgent(1))?.session.scope).toBe(scopes[1]);
    // Its account has ended with it.
    chargeSession(scopes[0] ?? [], 31 * 1024 ** 2);
    expect(sessions.find(ofAgent(1))?.session.scope).toBe(scopes[1]);
  });

  it('are not found after the directory changed an agent in place', () => {
    const sessions = new Sessions();
    const capabilities = ['a', 'b'];
    const signers = [holder({ capabilities })];
    sessions.add({ ...source, signers }, session);
    capabilities.push('c');
    expect(sessions.find({ ...source, signers })).toBeUndefined();
  });
});
