import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bufferedBody } from '../../../src/stages/body/buffered-body.js';
import type { RequestBody } from '../../../src/model/request-body.js';
import type { GuardOptions } from '../../../src/options/guard-options.js';
import { agentsFromObjects } from '../../../src/keys/agents-from-objects.js';
import { agents, guarded, keyId, letIn, permission, registrations, signedRequest } from '../../guarded.js';
import { keyPair } from '../chain/link-keys.js';

// Only a test moves the clock.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

/** A guard with a clock and a directory that a test changes. */
async function changing(options: Partial<GuardOptions> = {}) {
  const directory = agentsFromObjects([...registrations, { id: 'agent-z', jwk: keyPair().jwk }]);
  let ahead = 0;
  const clock = () => Date.now() + ahead * 1000;
  const { guard, audit } = await guarded({ agents: directory, clock, ...options });
  return { guard, audit, directory, wait: (seconds: number) => void (ahead += seconds) };
}

const history = { act: { sub: 'agent-a', act: { sub: 'agent-z' } } };

describe('a decision after authentication', () => {
  it.each([
    ['a token', {}, 306, 'token_expired'],
    ['a link', 'agent-b', 66, 'delegation_expired'],
  ] as const)('is refused once %s has expired [C7]', async (_title, claims, seconds, code) => {
    const { guard, wait } = await changing();
    const caller = await letIn(guard, claims);
    wait(seconds - 3);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
    wait(3);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code, status: 401 } });
  });

  it.each([
    ['the sender', undefined, 'agent-a', 'agent_suspended'],
    ['the delegator', 'agent-b', 'agent-b', 'delegation_revoked'],
    ['a prior actor of the token', history, 'agent-z', 'delegation_revoked'],
  ] as const)('is refused while %s is suspended [C7]', async (_title, claims, id, code) => {
    const { guard, directory, wait } = await changing();
    const caller = await letIn(guard, claims);
    directory.suspend(id);
    wait(1);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code } });
    directory.resume(id);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
  });

  it('is refused when the key was removed or given to another agent [A11]', async () => {
    const { guard, directory, wait } = await changing();
    const caller = await letIn(guard);
    directory.remove('agent-a');
    wait(1);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code: 'key_unknown' } });
    directory.register({ ...registrations[0], id: 'agent-y' });
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code: 'key_unknown' } });
  });

  it('is refused as our outage when the directory cannot be asked again', async () => {
    let down = false;
    const flaky = {
      findByThumbprint: (thumbprint: string) => {
        if (down) throw new Error('down');
        return agents.findByThumbprint(thumbprint);
      },
      statusOf: (id: string) => agents.statusOf(id),
    };
    const { guard, wait } = await changing({ agents: flaky });
    const caller = await letIn(guard);
    down = true;
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
    wait(1);
    expect(await guard.authorize(caller, permission)).toMatchObject({
      ok: false,
      refusal: { code: 'keys_unavailable', status: 503 },
    });
  });

  it('is never reached when the token expires while the body arrives [C7, G4]', async () => {
    const { guard, wait } = await changing();
    const whole = bufferedBody(new Uint8Array());
    const slow: RequestBody = {
      ...whole,
      async accept(limits, expected) {
        wait(20);
        return await whole.accept(limits, expected);
      },
    };
    const exp = Math.floor(Date.now() / 1000) + 10;
    const late = await guard.authenticate(await signedRequest({ exp }, { body: slow }));
    expect(late).toMatchObject({ ok: false, refusal: { code: 'token_expired' } });
  });

  it('asks the directory once within the same second', async () => {
    let asked = 0;
    const counting = {
      findByThumbprint: (thumbprint: string) => {
        asked += 1;
        return agents.findByThumbprint(thumbprint);
      },
      statusOf: (id: string) => agents.statusOf(id),
    };
    const { guard } = await changing({ agents: counting, clock: () => 1_900_000_000_000 });
    const answer = await guard.authenticate(await signedRequest(undefined, {}, 1_900_000_000));
    expect(answer).toMatchObject({ ok: true, caller: { actor: { keyId } } });
    expect(asked).toBe(1);
  });
});
