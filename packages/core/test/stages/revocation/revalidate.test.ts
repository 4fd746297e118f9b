import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bufferedBody } from '../../../src/stages/body/buffered-body.js';
import type { RequestBody } from '../../../src/model/request-body.js';
import type { GuardOptions } from '../../../src/options/guard-options.js';
import { agentsFromObjects } from '../../../src/keys/agents-from-objects.js';
import { agents, guarded, keyId, letIn, permission, registrations, signedRequest } from '../../guarded.js';
import { keyPair } from '../chain/link-keys.js';

// Time passes only where a test says so.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

/** A guard whose clock a test moves, and a directory that it changes. */
async function changing(options: Partial<GuardOptions> = {}) {
  const directory = agentsFromObjects([...registrations, { id: 'agent-z', jwk: keyPair().jwk }]);
  let ahead = 0;
  const clock = () => Date.now() + ahead * 1000;
  const { guard, audit } = await guarded({ agents: directory, clock, ...options });
  return { guard, audit, directory, wait: (seconds: number) => void (ahead += seconds) };
}

const history = { act: { sub: 'agent-a', act: { sub: 'agent-z' } } };

describe('a decision that comes late', () => {
  it.each([
    ['a token that is over', {}, 306, 'token_expired'],
    ['a link that is over', 'agent-b', 66, 'delegation_expired'],
  ] as const)('%s gives nothing any more [C7]', async (_title, claims, seconds, code) => {
    const { guard, wait } = await changing();
    const caller = await letIn(guard, claims);
    wait(seconds - 3);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
    wait(3);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code, status: 401 } });
  });

  it.each([
    ['the sender is suspended', undefined, 'agent-a', 'agent_suspended'],
    ['who handed on is suspended', 'agent-b', 'agent-b', 'delegation_revoked'],
    ['whom the issuer names is suspended', history, 'agent-z', 'delegation_revoked'],
  ] as const)('%s meanwhile [C7]', async (_title, claims, id, code) => {
    const { guard, directory, wait } = await changing();
    const caller = await letIn(guard, claims);
    directory.suspend(id);
    wait(1);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code } });
    directory.resume(id);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
  });

  it('the key is removed, or changes hands, meanwhile [A11]', async () => {
    const { guard, directory, wait } = await changing();
    const caller = await letIn(guard);
    directory.remove('agent-a');
    wait(1);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code: 'key_unknown' } });
    directory.register({ ...registrations[0], id: 'agent-y' });
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code: 'key_unknown' } });
  });

  it('a directory that cannot be asked again is our outage', async () => {
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

  it('what ends while the body comes lets nobody in [C7, G4]', async () => {
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

  it('within the same second a directory is asked once', async () => {
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
