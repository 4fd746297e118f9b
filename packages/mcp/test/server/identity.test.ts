import { AsyncResource } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { callerFor } from '../../src/server/caller-for.js';
import { guardHandler } from '../../src/server/guard-handler.js';
import { authInfoOf, callerOf, withinCall } from '../../src/server/identity.js';
import { world } from '../world.js';

it('a callback that a call left behind names nobody once the call has ended, and with the context who calls [E11]', async () => {
  const { guard } = await world('http://localhost');
  const alice = guard.local({ agent: 'alice' });
  const bob = guard.local({ agent: 'bob' });
  // As a pool does with the connection that the first call opened.
  let shared = callerOf;
  await withinCall(alice, async () => {
    shared = AsyncResource.bind(callerOf);
    await Promise.resolve();
    expect([callerOf(), shared()]).toEqual([alice, alice]);
  });
  expect(shared()).toBeUndefined();
  await withinCall(bob, async () => {
    expect(callerOf()).toBe(bob);
    expect(shared()).toBeUndefined();
    expect(shared({ authInfo: authInfoOf(bob) })).toBe(bob);
  });
});

it('a call that failed has ended, too [E11]', async () => {
  const { guard } = await world('http://localhost');
  let shared = callerOf;
  const call = withinCall(guard.local({ agent: 'alice' }), async () => {
    shared = AsyncResource.bind(() => callerOf());
    throw new Error('broken');
  });
  await expect(call).rejects.toThrow('broken');
  expect(shared()).toBeUndefined();
});

it('a request without a caller is nobody, also in the context of a call that is at work [E11]', async () => {
  const { guard, audit } = await world('http://localhost');
  let served = 0;
  const inner = { fetch: async (_request: Request) => (served++, new Response('stream')) };
  const handler = guardHandler(inner, guard);
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: {} });
  const request = () => new Request('http://localhost/mcp', { method: 'POST', body });
  const session = { isHttp: true, sender: undefined };
  await withinCall(guard.local({ agent: 'alice' }), async () => {
    expect(callerFor({ requestInfo: {} }, { guard, session, local: undefined })).toBeUndefined();
    expect(callerFor(undefined, { guard, session, local: undefined })).toBeUndefined();
    expect((await handler.fetch(request())).status).toBe(401);
  });
  expect([served, audit.records]).toEqual([0, []]);
});
