import { describe, expect, it } from 'vitest';
import { agentsFromObjects } from '../../src/keys/agents-from-objects.js';
import type { AgentDirectory } from '../../src/keys/directory.js';
import { guarded, permission, registrations } from '../guarded.js';

const identity = { agent: 'agent-a', subject: 'user_123', scope: ['thing'] };
const things = [{ type: 'Thing', id: '1' }];

describe('a local caller', () => {
  it('of a suspended agent is refused from its first decision on, however often it is made anew [C7]', async () => {
    const directory = agentsFromObjects(registrations);
    const { guard, audit } = await guarded({ agents: directory });
    directory.suspend('agent-a');
    const refused = { ok: false, refusal: { code: 'agent_suspended' } };
    expect(await guard.authorize(guard.local(identity), permission)).toMatchObject(refused);
    expect(await guard.filter(guard.local(identity), 'thing.read', things)).toMatchObject(refused);
    const call = guard.begin(guard.local(identity), { method: 'tools/call' });
    expect(await call.wouldPermit(permission)).toBe(false);
    expect(await call.authorize(permission)).toMatchObject(refused);
    expect(await guard.revalidate(guard.local(identity))).toMatchObject({ code: 'agent_suspended' });
    expect(audit.records.map(({ decision, code }) => [decision, code])).toEqual(
      Array.from({ length: 3 }, () => ['deny', 'agent_suspended']),
    );
  });

  it.each<[string, AgentDirectory['statusOf']]>([
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
    ['is not available', () => 'unavailable'],
  ])('is refused as an outage when the directory %s [J3]', async (_title, statusOf) => {
    const directory: AgentDirectory = { findByThumbprint: () => ({ kind: 'unknown' }), statusOf };
    const { guard } = await guarded({ agents: directory });
    const answer = await guard.authorize(guard.local(identity), permission);
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'keys_unavailable', status: 503 } });
  });

  it('asks the directory once a second at most', async () => {
    const asked: string[] = [];
    const directory = agentsFromObjects(registrations);
    const statusOf = (id: string) => (asked.push(id), directory.statusOf(id));
    let now = Date.now();
    const { guard } = await guarded({ agents: { ...directory, statusOf }, clock: () => now });
    const caller = guard.local(identity);
    for (let count = 0; count < 3; count++)
      expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
    expect(asked).toEqual(['agent-a']);
    now += 1000;
    await guard.authorize(caller, permission);
    expect(asked).toEqual(['agent-a', 'agent-a']);
  });
});
