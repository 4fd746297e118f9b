import { AsyncResource } from 'node:async_hooks';
import { expect, it } from 'vitest';
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
