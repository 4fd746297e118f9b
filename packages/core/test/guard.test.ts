import type { Permission } from '../src/model/permission.js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Caller } from '../src/model/caller.js';
import { ConfigError } from '@countersign/common';
import type { GuardOptions } from '../src/options/guard-options.js';
import type { PolicyDecision, PolicyEngine } from '@countersign/policy';
import { memoryRevocations } from '../src/stages/revocation/memory-revocations.js';
import type { Revocable } from '../src/stages/revocation/revocable.js';
import { patiently } from '../../../test/support/patiently.js';
import { agents, allow, engine, guarded, keyId, letIn, permission, signedRequest } from './guarded.js';

/** A permission whose resource cannot be determined. */
const unresolvable = (error: unknown): Permission => ({
  action: 'thing.read',
  resource: () => {
    throw error;
  },
});

describe('a caller is valid for one request', () => {
  it('and refused after its answer has ended [G1]', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
    await guard.complete(caller, { result: 'finished', status: 200 });
    expect(await guard.authorize(caller, permission)).toMatchObject({
      ok: false,
      refusal: { code: 'not_authenticated' },
    });
    expect(audit.records.map(({ phase }) => phase)).toEqual(['decision', 'outcome']);
  });

  it('and nothing runs when its client disconnects during the decision [F5]', async () => {
    const deciding: ((decision: PolicyDecision) => void)[] = [];
    const policy = engine(() => new Promise((resolve) => void deciding.push(resolve)));
    const { guard, audit } = await guarded({ policy });
    const caller = await letIn(guard);
    const authorization = guard.authorize(caller, permission);
    await vi.waitFor(() => expect(deciding).toHaveLength(1), patiently);
    const completed = guard.complete(caller, { result: 'aborted' });
    deciding[0]?.(allow);
    expect(await authorization).toMatchObject({ ok: false });
    await completed;
    expect(audit.records.map(({ phase }) => phase)).toEqual(['decision', 'outcome']);
  });

  it.each([
    ['and the application went on', undefined, ['decision', 'outcome']],
    ['and the host answered with it', { refused: true }, ['decision']],
  ])('all was refused, %s [F5]', async (_title, answer, phases) => {
    const { guard, audit } = await guarded({ policy: engine(() => ({ ...allow, decision: 'deny' })) });
    const caller = await letIn(guard);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false });
    await guard.complete(caller, { result: 'finished', status: 200 }, answer);
    await guard.complete(caller, { result: 'aborted' });
    expect(audit.records.map(({ phase }) => phase)).toEqual(phases);
  });

  it('and its outcome records an allow before the host answered with a refusal [F5]', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    await guard.authorize(caller, permission);
    await guard.authorize(caller, { action: 'thing.read', resource: () => undefined });
    await guard.complete(caller, { result: 'finished', status: 403 }, { refused: true });
    expect(audit.records.map(({ phase }) => phase)).toEqual(['decision', 'decision', 'outcome']);
  });

  it('and refused when it is a copy or of another guard [G1]', async () => {
    const { guard } = await guarded();
    const caller = await letIn(guard);
    const other = (await guarded()).guard;
    for (const [asked, by] of [
      [guard, structuredClone(caller)],
      [guard, Object.create(caller) as Caller],
      [other, caller],
      [guard, null as never],
    ] as const) {
      expect(await asked.authorize(by, permission)).toMatchObject({
        ok: false,
        refusal: { code: 'not_authenticated' },
      });
    }
  });

  it('and not admitted when its client disconnected during verification [A4]', async () => {
    const { guard, audit } = await guarded();
    const answer = await guard.authenticate(await signedRequest(undefined, { clientIsGone: () => true }));
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'body_incomplete' } });
    expect(audit.records).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
  });

  it('and admitted without an address behind trusted proxies, as over a Unix domain socket', async () => {
    const { guard } = await guarded({ trustedProxies: ['10.0.0.0/8'] });
    const answer = await guard.authenticate(await signedRequest(undefined, { clientIsGone: () => false }));
    expect(answer).toMatchObject({ ok: true, caller: { actor: { id: 'agent-a' } } });
  });
});

/** Its scopes are a list at the start, and a rejected promise at each request. */
function losingVocabulary(): PolicyEngine {
  let reads = 0;
  return {
    decide: () => allow,
    get scopeVocabulary() {
      reads += 1;
      return reads === 1 ? [] : (Promise.reject(new Error('down')) as never);
    },
  };
}

describe('every failure is refused and recorded, without an exception', () => {
  const nothing: unknown = Object.create(null);
  it.each<[string, PolicyEngine, string]>([
    [
      'an engine that throws what has no text',
      engine(() => {
        throw nothing;
      }),
      'policy_unavailable',
    ],
    [
      'an engine that rejects',
      engine(async () => {
        throw new Error('down');
      }),
      'policy_unavailable',
    ],
    ['an engine that answers nothing', engine(() => undefined as never), 'policy_error'],
    ['an engine whose vocabulary rejects after the start', losingVocabulary(), 'policy_unavailable'],
  ])('%s [D4]', async (_title, policy, code) => {
    const { guard, audit } = await guarded({ policy });
    expect(await guard.authorize(await letIn(guard), permission)).toMatchObject({ ok: false, refusal: { code } });
    expect(audit.records).toMatchObject([{ phase: 'decision', decision: 'deny', code }]);
  });

  it('a resource that cannot be determined, without its error message in the log [F2]', async () => {
    const troubles: string[] = [];
    const { guard, audit } = await guarded({ onTrouble: (text) => void troubles.push(text) });
    await guard.authorize(await letIn(guard), unresolvable(new RangeError('no row for hunter2')));
    await guard.authorize(await letIn(guard), unresolvable(nothing));
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    await guard.authorize(await letIn(guard), unresolvable(proxy));
    expect(audit.records.map(({ code, detail }) => `${code} ${detail}`)).toEqual([
      'resource_unresolved RangeError',
      'resource_unresolved object',
      'resource_unresolved object',
    ]);
    expect(JSON.stringify(audit.records)).not.toContain('hunter2');
    expect(troubles[0]).toContain('hunter2');
    const { method, path } = audit.records[0]?.request ?? {};
    expect(troubles[0]).toContain(`at ${method} ${JSON.stringify(path)}: the resource of thing.read could not be`);
  });

  it('resources that cannot be determined: reports are throttled, and bounded [F3]', async () => {
    const troubles: string[] = [];
    const { guard } = await guarded({ onTrouble: (text) => void troubles.push(text) });
    for (let times = 0; times < 20; times++) {
      await guard.authorize(await letIn(guard), unresolvable(new Error('"'.repeat(15_000))));
    }
    expect(troubles).toHaveLength(5);
    for (const text of troubles) expect(text.length).toBeLessThan(1500);
  });

  it('a decision that cannot be recorded, without an outcome [F4]', async () => {
    const write = vi.fn(async () => {
      throw new Error('disk full');
    });
    const { guard } = await guarded({ audit: { write } });
    const caller = await letIn(guard);
    expect(await guard.authorize(caller, permission)).toMatchObject({
      ok: false,
      refusal: { code: 'audit_unavailable' },
    });
    await guard.complete(caller, { result: 'finished', status: 503 }, { refused: true });
    expect(write).toHaveBeenCalledTimes(1);
  });

  it('a listener to troubles that throws changes nothing, and the trouble becomes a warning', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    const { guard } = await guarded({
      onTrouble: () => {
        throw new Error('listener');
      },
    });
    await guard.authorize(await letIn(guard), unresolvable('x'));
    expect(warned.mock.calls.map(([warning]) => warning)).toEqual([
      "createGuard: 'onTrouble' failed: Error: listener",
      expect.stringContaining('the resource of thing.read'),
    ]);
  });

  it.each<[string, Partial<GuardOptions>, Permission]>([
    ['an engine', { policy: engine(() => new Promise(() => {})) }, permission],
    ['the resource function of a route', {}, { action: 'thing.read', resource: () => new Promise(() => {}) }],
  ])('%s that never answers is an outage after lookupTimeoutSeconds [L2]', async (_title, options, asked) => {
    const { guard, audit } = await guarded({ lookupTimeoutSeconds: 20, ...options });
    const caller = await letIn(guard);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const answer = guard.authorize(caller, asked);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await answer).toMatchObject({ ok: false, refusal: { code: 'policy_unavailable', status: 503 } });
    expect(audit.records).toMatchObject([{ phase: 'decision', decision: 'deny', code: 'policy_unavailable' }]);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a text', 'unknown'],
    ['a kind that does not exist', { kind: 'revoked' }],
    ['a key without an agent', { kind: 'found', key: {} }],
    [
      'a key of a wrong type',
      { kind: 'found', agent: { id: 'a', status: 'active', capabilities: [], roles: [] }, key: {} },
    ],
  ])('a directory that answers %s is an outage, not the fault of the client [L2]', async (_title, lookup) => {
    const directory = { ...agents, findByThumbprint: () => lookup as never };
    const { guard, audit } = await guarded({ agents: directory });
    expect(await guard.authenticate(await signedRequest())).toMatchObject({
      ok: false,
      refusal: { code: 'keys_unavailable', status: 503 },
    });
    expect(audit.records).toMatchObject([{ phase: 'authentication', code: 'keys_unavailable' }]);
  });

  it.each([Number.NaN, Infinity, '1800000000000', undefined])(
    'a clock that gives %s later on lets nobody in [L3]',
    async (odd) => {
      let now: unknown = Date.now();
      const { guard } = await guarded({ clock: () => now as number });
      const request = await signedRequest();
      now = odd;
      expect(await guard.authenticate(request)).toMatchObject({ ok: false, refusal: { fault: 'server' } });
    },
  );

  it('a part that fails to close, or hangs, while all others are closed [L2]', async () => {
    const close = vi.fn(() => Promise.resolve());
    const closeAgents = vi.fn(() => Promise.reject(new Error('agents')));
    const { guard } = await guarded({
      agents: { ...agents, close: closeAgents },
      policy: {
        ...engine(() => allow),
        close: () => {
          throw new Error('policy');
        },
      },
      revocations: [{ findRevoked: () => undefined, close: () => new Promise(() => {}) }],
      audit: { write: () => Promise.resolve(), close },
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const closed = expect(guard.close()).rejects.toThrow('agents');
    // Outcomes come first, after turns of the event loop that no timer makes.
    await vi.waitFor(() => expect(closeAgents).toHaveBeenCalled(), patiently);
    await vi.advanceTimersByTimeAsync(60_000);
    await closed;
    expect(close).toHaveBeenCalledOnce();
  });

  it.each(['agents', 'policy', 'revocations'])(
    'seals the log before it waits for a part that never closes: %s [L2]',
    async (part) => {
      const closeLog = vi.fn(() => Promise.resolve());
      const waits = vi.fn(() => new Promise<void>(() => {}));
      const parts = { agents, policy: engine(() => allow), revocations: { findRevoked: () => undefined } };
      const { guard } = await guarded({
        ...parts,
        [part]: { ...parts[part as keyof typeof parts], close: waits },
        audit: { write: () => Promise.resolve(), close: closeLog },
      });
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      onTestFinished(() => void vi.useRealTimers());
      const closed = expect(guard.close()).rejects.toThrow('was not closed within 30 seconds');
      await vi.waitFor(() => expect(waits).toHaveBeenCalled(), patiently);
      expect(closeLog).toHaveBeenCalledOnce();
      await vi.advanceTimersByTimeAsync(30_000);
      await closed;
    },
  );
});

describe('options are checked at creation [G5]', () => {
  it.each<[string, Partial<Record<keyof GuardOptions | 'orgin', unknown>>, RegExp]>([
    ['a misspelt name', { orgin: 'x' }, /Did you mean 'origin'/],
    ['no origin', { origin: undefined }, /'origin' is missing/],
    ['a promise of agents', { agents: Promise.resolve(agents) }, /Write 'await' before it/],
    ['no policy', { policy: undefined }, /'policy' is missing/],
    ['no audit', { audit: [] }, /Without a record there is no action/],
    ['an empty audience', { audience: [] }, /'audience' must name/],
    ['a clock in seconds', { clock: () => Date.now() / 1000 }, /milliseconds/],
    ['a clock that is none', { clock: 5 }, /milliseconds/],
    ['a listener that is none', { onTrouble: 1 }, /'onTrouble' must be a function/],
    ['another kind of traffic', { traffic: 'people' }, /'agents' or 'mixed'/],
    ['an age beyond reason', { maxAgeSeconds: 1e9 }, /'maxAgeSeconds' must be a whole number/],
    [
      'a chain without end',
      { maxDelegationDepth: Infinity },
      /'maxDelegationDepth' must be a whole number from 0 to 16/,
    ],
    ['half a delegation', { maxDelegationDepth: 0.5 }, /'maxDelegationDepth'/],
    [
      'links for ever',
      { maxLinkLifetimeSeconds: 1e9 },
      /'maxLinkLifetimeSeconds' must be a whole number from 1 to 86400/,
    ],
    ['scopes that match by chance', { scopeMatch: 'prefix' }, /'scopeMatch' must be 'hierarchical' or 'exact'/],
  ])('%s', async (_title, wrong, message) => {
    const creation = guarded(wrong as Partial<GuardOptions>);
    await expect(creation).rejects.toThrow(ConfigError);
    await expect(creation).rejects.toThrow(message);
  });
});

describe('revocation', () => {
  it('applies to the next request, and to the next decision of a running one [C7, D13]', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
    guard.revocations.revoke({ agent: 'agent-a' });
    expect(await guard.authorize(caller, permission)).toMatchObject({
      ok: false,
      refusal: { code: 'agent_suspended', status: 401 },
    });
    expect(await guard.authenticate(await signedRequest())).toMatchObject({
      ok: false,
      refusal: { code: 'agent_suspended' },
    });
    expect(audit.records.map(({ phase, decision, code }) => [phase, decision, code])).toEqual([
      ['decision', 'allow', undefined],
      ['decision', 'deny', 'agent_suspended'],
      ['authentication', 'deny', 'agent_suspended'],
    ]);
    guard.revocations.restore({ agent: 'agent-a' });
    expect(await guard.authorize(await letIn(guard), permission)).toMatchObject({ ok: true });
  });

  it.each<[string, (revoke: () => void) => Partial<GuardOptions>]>([
    [
      'policy decides',
      (revoke) => ({
        policy: engine(async () => {
          revoke();
          return await Promise.resolve(allow);
        }),
      }),
    ],
    [
      'the resource is completed',
      (revoke) => ({
        entities: async () => {
          revoke();
          return await Promise.resolve({ attributes: {} });
        },
      }),
    ],
  ])('counts also for a decision under way: while %s [C7, D13]', async (_title, options) => {
    const made = await guarded(options(() => made.guard.revocations.revoke({ agent: 'agent-a' })));
    const { guard, audit } = made;
    const caller = await letIn(guard);
    const refused = { ok: false, refusal: { code: 'agent_suspended' } };
    expect(await guard.authorize(caller, permission)).toMatchObject(refused);
    guard.revocations.restore({ agent: 'agent-a' });
    expect(await guard.filter(caller, 'thing.read', [{ type: 'Thing', id: '2' }])).toMatchObject(refused);
    expect(audit.records.map(({ decision, code, policies }) => [decision, code, policies])).toEqual([
      ['deny', 'agent_suspended', undefined],
      ['deny', 'agent_suspended', undefined],
    ]);
  });

  it('refuses a request when its token expires during the decision [C7, B6]', async () => {
    let time = Math.floor(Date.now() / 1000) * 1000;
    const policy = engine(() => {
      time += 400_000;
      return allow;
    });
    const { guard } = await guarded({ policy, clock: () => time });
    const caller = await letIn(guard, {});
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false, refusal: { code: 'token_expired' } });
  });

  it('close reports the recovery of records before the quiet period has passed [F4]', async () => {
    const troubles: string[] = [];
    let down = true;
    const audit = { write: async () => void (down && (await Promise.reject(new Error('down')))) };
    const { guard } = await guarded({ audit, onTrouble: (text) => void troubles.push(text) });
    const caller = await letIn(guard);
    expect(await guard.authorize(caller, permission)).toMatchObject({ refusal: { code: 'audit_unavailable' } });
    down = false;
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: true });
    troubles.length = 0;
    await guard.close();
    expect(troubles).toEqual(['countersign: audit records are written again, after 1 that could not be (other).']);
  });

  it('asks every source, and closes them with the guard', async () => {
    const closed: string[] = [];
    const source = (name: string, revoked: boolean) => ({
      findRevoked: (named: readonly Revocable[]) => (revoked ? named.find((one) => 'key' in one) : undefined),
      close: () => void closed.push(name),
    });
    const { guard } = await guarded({ revocations: [source('first', false), source('second', true)] });
    expect(await guard.authenticate(await signedRequest())).toMatchObject({
      ok: false,
      refusal: { code: 'key_not_valid' },
    });
    await guard.close();
    expect(closed).toEqual(['first', 'second']);
  });

  it('can be shared in memory by two guards', async () => {
    const shared = memoryRevocations();
    const { guard } = await guarded({ revocations: shared });
    shared.revoke({ key: keyId });
    expect(await guard.authenticate(await signedRequest())).toMatchObject({
      ok: false,
      refusal: { code: 'key_not_valid' },
    });
    expect(guard.revocations.list()).toEqual([]);
  });

  it.each<[unknown, RegExp]>([
    [Promise.resolve(memoryRevocations()), /is a promise. Write 'await'/],
    [{}, /has no method findRevoked/],
    [[memoryRevocations(), null], /has no method findRevoked/],
    ['revocations.json', /has no method findRevoked/],
  ])('a wrong source stops the start', async (revocations, message) => {
    const starting = guarded({ revocations: revocations as never });
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(message);
  });
});
