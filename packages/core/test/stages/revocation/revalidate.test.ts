import { nativeSigningKey, signMessage } from '@countersign/signature';
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

  it.each([
    ['a role more', { roles: ['reader', 'blocked'] }],
    ['a role less', { roles: [] }],
    ['a capability less', { capabilities: [] }],
    ['another owner', { owner: 'somebody' }],
  ])('is refused when the agent has %s than its request was let in with [D13]', async (_title, change) => {
    const { guard, directory, wait } = await changing();
    const caller = await letIn(guard);
    const call = guard.begin(caller, { method: 'tools/call' });
    directory.remove('agent-a');
    directory.register({ ...registrations[0], ...change });
    wait(1);
    const refused = { ok: false, refusal: { code: 'key_not_valid', detail: 'its agent has other rights now' } };
    expect(await guard.authorize(caller, permission)).toMatchObject(refused);
    expect(await call.authorize(permission)).toMatchObject(refused);
    expect(await guard.authorize(await letIn(guard), permission)).toMatchObject({ ok: true });
  });

  it('is refused when a delegator has lost a capability meanwhile [D13]', async () => {
    const { guard, directory, wait } = await changing();
    const caller = await letIn(guard, 'agent-b');
    directory.remove('agent-b');
    directory.register({ ...registrations[1], capabilities: [] });
    wait(1);
    expect(await guard.authorize(caller, permission)).toMatchObject({ refusal: { code: 'delegation_invalid' } });
  });

  it('is refused when the directory has changed the agent in place [D13]', async () => {
    const lookup = await agents.findByThumbprint(keyId);
    if (lookup.kind !== 'found') throw new Error('the agent is not registered');
    const roles = ['reader'];
    const changed = { ...lookup, agent: { ...lookup.agent, roles } };
    const { guard, wait } = await changing({
      agents: { findByThumbprint: () => changed, statusOf: (id) => agents.statusOf(id) },
    });
    const callers = [await letIn(guard), await letIn(guard)];
    roles.push('blocked');
    wait(1);
    for (const caller of callers)
      expect(await guard.authorize(caller, permission)).toMatchObject({ refusal: { code: 'key_not_valid' } });
  });

  it('goes on when the agent has another capability, or the same rights in another order', async () => {
    const { guard, directory, wait } = await changing();
    directory.remove('agent-a');
    directory.register({ ...registrations[0], roles: ['reader', 'writer'] });
    const caller = await letIn(guard);
    directory.remove('agent-a');
    directory.register({ ...registrations[0], roles: ['writer', 'reader'], capabilities: ['more', 'thing'] });
    wait(1);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
  });

  it('goes on with Web Bot Auth, by which an agent has no rights', async () => {
    const { guard, directory, wait } = await changing({ webBotAuth: true });
    const { privateKey, thumbprint, jwk } = keyPair();
    directory.register({ id: 'bot', jwk, roles: ['crawler'], capabilities: ['page:read'], owner: 'somebody' });
    const created = Math.floor(Date.now() / 1000);
    const message = { method: 'GET', target: '/', scheme: 'https', authority: 'api.acme.dev', rawFields: [] } as const;
    const { signatureInput, signature } = await signMessage(message, {
      key: nativeSigningKey(privateKey, { keyId: thumbprint }),
      components: ['@authority'],
      parameters: { created, expires: created + 60, nonce: 'n'.repeat(22), tag: 'web-bot-auth' },
    });
    const rawHeaders = ['host', 'api.acme.dev', 'signature-input', signatureInput, 'signature', signature];
    const body = bufferedBody(new Uint8Array());
    const answer = await guard.authenticate({ method: 'GET', target: '/', rawHeaders, body });
    if (!answer.ok || answer.caller === undefined) throw new Error(JSON.stringify(answer));
    wait(1);
    expect(await guard.authorize(answer.caller, permission)).toMatchObject({ ok: true });
  });

  it('is refused when the agent that an issuer vouches for is registered here meanwhile [C5]', async () => {
    const { guard, directory, wait } = await changing();
    const { privateKey, thumbprint, jwk } = keyPair();
    const claims = { act: { sub: 'agent-v' }, cnf: { jwk } };
    const request = await signedRequest(claims, {}, undefined, { privateKey, keyId: thumbprint });
    const answer = await guard.authenticate(request);
    if (!answer.ok || answer.caller === undefined) throw new Error(JSON.stringify(answer));
    wait(1);
    expect(await guard.authorize(answer.caller, permission)).toMatchObject({ ok: true });
    directory.register({ id: 'agent-v', jwk: keyPair().jwk, status: 'suspended' });
    wait(1);
    const refused = { ok: false, refusal: { code: 'token_not_bound_to_agent' } };
    expect(await guard.authorize(answer.caller, permission)).toMatchObject(refused);
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
