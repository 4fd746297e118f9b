import { expect, it } from 'vitest';
import { mostOpenStreams, openStream } from '../../src/decide/open-streams.js';
import { world } from '../world.js';

async function opened(mode: 'enforce' | 'observe') {
  const { guard, audit } = await world('http://127.0.0.1:9', mode);
  const [alice, bob] = ['alice', 'mallory'].map((agent) => guard.local({ agent }));
  const open = (caller = alice!) => openStream(guard, caller, 'stream');
  const first = await open();
  for (let count = 1; count < mostOpenStreams; count += 1) await open();
  return { guard, audit, bob: bob!, open, first };
}

it('One caller has a bounded number of open streams, and others are not kept from theirs [E11]', async () => {
  const { audit, bob, open, first } = await opened('enforce');
  expect(audit.records).toEqual([]);
  expect(await open()).toBeUndefined();
  expect(audit.records).toMatchObject([{ decision: 'deny', code: 'policy_denied', call: { method: 'stream' } }]);
  expect(await open(bob)).toBeDefined();
  first?.();
  first?.();
  expect(await open()).toBeDefined();
  expect(await open()).toBeUndefined();
});

it('A guard that observes records too many streams, and lets them open', async () => {
  const { audit, open } = await opened('observe');
  expect(await open()).toBeDefined();
  expect(audit.records[0]).toMatchObject({ phase: 'decision', code: 'policy_denied', call: { method: 'stream' } });
});
