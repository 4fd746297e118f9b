import { deepFreeze } from '@countersign/common';
import { expect, it } from 'vitest';
import type { Caller } from '../../../src/model/caller.js';
import { actorQuestion, actsForItself, callerQuestion } from '../../../src/stages/authorize/question.js';
import { Sessions } from '../../../src/stages/chain/sessions.js';
import { guarded, letIn } from '../../guarded.js';

const facts = { id: 'r', method: 'GET', path: '/' };
const terms = { details: undefined, vocabulary: [], scopeMatch: 'hierarchical' } as const;
const contextOf = (caller: Caller): object =>
  actorQuestion({ caller, action: 'thing.read', requires: undefined, facts }, terms).context;

it('an agent alone acts for itself', async () => {
  const { guard } = await guarded();
  const caller = await letIn(guard);
  expect(actsForItself(caller)).toBe(true);
  expect(contextOf(caller)).not.toHaveProperty('onBehalfOfAgent');
});

it('a question that is kept with a session counts in its bytes [A16]', () => {
  const sessions = new Sessions();
  const actor = { id: 'agent-1', type: 'agent', roles: [], capabilities: ['a'] } as const;
  const chain = [{ id: 'agent-1', type: 'agent', proof: 'signature' }] as unknown as Caller['chain'];
  const caller: Caller = deepFreeze({
    actor,
    subject: actor,
    chain,
    scope: ['a'],
    proof: { kind: 'local' },
    requestId: 'r',
  });
  const source = { token: undefined, names: [], links: [], signers: [] };
  sessions.add(source, caller);
  const ask = (requires: string) => callerQuestion(caller, { requires, vocabulary: [], scopeMatch: 'hierarchical' });
  ask('a:b');
  expect(sessions.find(source)?.session).toBe(caller);
  ask(`a:${'b'.repeat(12 * 1024 ** 2)}`);
  expect(sessions.find(source)).toBeUndefined();
});

it('an agent of another issuer that is called as the actor is somebody else [C2]', async () => {
  const { guard } = await guarded();
  const alone = await letIn(guard);
  const [own] = alone.chain;
  const subject = { id: own.id, type: 'agent', issuer: 'https://id.other.example' } as const;
  const caller: Caller = { ...alone, subject, chain: [{ ...own, ...subject, proof: 'issuer' }, own] };
  expect(actsForItself(caller)).toBe(false);
  expect(contextOf(caller)).toMatchObject({ onBehalfOfAgent: own.id, depth: 1 });
});

it('a chain that rests on an issuer says so, also if agents signed its later hops [C4]', async () => {
  const { guard } = await guarded();
  const alone = await letIn(guard);
  const [own] = alone.chain;
  expect(contextOf(alone)).toMatchObject({ proof: 'signature' });
  const user = { ...own, id: 'user_123', type: 'user', issuer: 'https://id.acme.dev', proof: 'issuer' } as const;
  const first = { ...own, id: 'agent-0' };
  const caller: Caller = { ...alone, subject: user, chain: [user, { ...first, proof: 'issuer' }, own] };
  expect(contextOf(caller)).toMatchObject({ proof: 'issuer' });
  const linked: Caller = { ...alone, subject: { ...first, type: 'agent' }, chain: [first, own] };
  expect(contextOf(linked)).toMatchObject({ proof: 'signature' });
});
