import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { auditFile, fanOut } from '@countersign/audit';
import { createGuard } from '../src/guard.js';
import { agentsFromObjects } from '../src/keys/agents-from-objects.js';
import { combine } from '../src/keys/combine.js';
import type { GuardOptions } from '../src/options/guard-options.js';
import { memoryReplayStore } from '../src/stages/replay/memory-replay-store.js';
import { guarded } from './guarded.js';
import { cedarFromText, type PolicyEngine } from '@countersign/policy';

const { publicKey } = generateKeyPairSync('ed25519');
const agents = agentsFromObjects([{ id: 'agent-a', jwk: publicKey.export({ format: 'jwk' }) }]);
const policy: PolicyEngine = { scopeVocabulary: [], decide: () => Promise.reject(new Error('nobody asks')) };
const write = (): Promise<void> => Promise.resolve();

/** Seconds that never come. */
const clock = () => Promise.reject(new Error('no time')) as never;

describe('a guard that cannot be created', () => {
  it('leaves the folder of its audit log to the next try [G5]', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-release-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const options = (): GuardOptions => ({ origin: 'https://api.acme.dev', agents, policy, audit: auditFile(folder) });
    await expect(createGuard({ ...options(), maxAgeSeconds: -1 })).rejects.toThrow('maxAgeSeconds');
    const guard = await createGuard(options());
    await guard.close();
  });

  it.each([
    { trustedProxies: ['999.1.1.1'] },
    { issuers: [{ issuer: 'https://id.acme.dev', jwksUri: 'ftp://id.acme.dev' }] },
  ])('leaves neither its ages nor its check of policies behind: %j [G5]', async (wrong) => {
    const replay = memoryReplayStore();
    let checks = 0;
    const checkChanges = () => {
      checks++;
      return () => void checks--;
    };
    const options = { origin: 'https://api.acme.dev', agents, policy: { ...policy, checkChanges }, audit: { write } };
    await expect(createGuard({ ...options, ...wrong, replay, maxAgeSeconds: 30 })).rejects.toThrow();
    expect(checks).toBe(0);
    await (await createGuard({ ...options, replay, maxAgeSeconds: 60 })).close();
    await expect(createGuard({ ...options, replay, maxAgeSeconds: 30 })).rejects.toThrow(
      'maxAgeSeconds: 60, this one 30',
    );
    expect(checks).toBe(0);
  });

  it('closes every part that it was given, and still says what is wrong with the options', async () => {
    const close = vi.fn(() => Promise.reject(new Error('cannot be closed')));
    const options = {
      origin: 'ftp://api.acme.dev',
      agents: { ...agents, close },
      policy: { ...policy, close },
      audit: [{ write, close }, { write }],
      revocations: [{ findRevoked: () => undefined, close }],
    };
    await expect(createGuard(options)).rejects.toThrow('origin');
    expect(close).toHaveBeenCalledTimes(4);
  });

  it('closes its parts although the engine returned nothing that ends its check of policies [L1]', async () => {
    const close = vi.fn();
    const engine = { ...policy, checkChanges: async () => undefined } as unknown as PolicyEngine;
    const guard = await createGuard({
      origin: 'https://api.acme.dev',
      agents: { ...agents, close },
      policy: engine,
      audit: { write, close },
    });
    await expect(guard.close()).rejects.toThrow(TypeError);
    expect(close).toHaveBeenCalledTimes(2);
  });

  it('closes a part that was not awaited once it is made, and contains its failure [L1]', async () => {
    const close = vi.fn();
    const options = { origin: 'https://api.acme.dev', agents, policy, audit: { write } };
    const made = { findRevoked: () => undefined, close };
    for (const part of [
      () => ({ policy: Promise.reject(new Error('no folder')) }),
      () => ({ agents: Promise.reject(new Error('no file')) }),
      () => ({ issuers: Promise.reject(new Error('no keys')) }),
      () => ({ revocations: [Promise.resolve(made), Promise.reject(new Error('no file'))] }),
    ]) {
      await expect(createGuard({ ...options, ...(part() as object) })).rejects.toThrow(/promise|'issuers'/);
    }
    // A rejection that nobody handles would be reported in a turn after this one.
    await new Promise((resolve) => setImmediate(resolve));
    expect(close).toHaveBeenCalledOnce();
  });

  it.each([
    { origin: 'https://user:s3cret@api.acme.dev' },
    { issuers: [{ issuer: 'https://user:s3cret@id.acme.dev' }] },
    { issuers: [{ issuer: 'https://id.acme.dev', jwksUri: 'http://id.acme.dev/jwks?token=s3cret' }] },
    { issuers: [{ issuer: 'https://id.acme.dev', jwksUri: 'https://127.0.0.1/jwks#s3cret' }] },
  ])('quotes no secret of an address: %j [F2]', async (wrong) => {
    const options = { origin: 'https://api.acme.dev', agents, policy, audit: { write }, ...wrong };
    await expect(createGuard(options)).rejects.toThrow(/^(?:(?!s3cret)[^])+$/);
  });

  it('waits thirty seconds at most for a part whose close never settles [L2]', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const close = vi.fn(async () => {});
    const hanging = { ...agents, close: () => new Promise<void>(() => {}) };
    const creating = createGuard({ origin: 'ftp://api.acme.dev', agents: hanging, policy, audit: { write, close } });
    const refused = expect(creating).rejects.toThrow('origin');
    await vi.advanceTimersByTimeAsync(30_000);
    await refused;
    expect(close).toHaveBeenCalledOnce();
  });

  it('says that a clock is async, and contains its rejection [L1]', async () => {
    const options = { origin: 'https://api.acme.dev', agents, policy, audit: { write }, clock };
    await expect(createGuard(options)).rejects.toThrow(/^createGuard: 'clock' must be a function/);
  });

  it('says that the scopes of its engine are no list, and contains their rejection [L1]', async () => {
    const engine = { ...policy, scopeVocabulary: Promise.reject(new Error('no scopes')) as never };
    const options = { origin: 'https://api.acme.dev', agents, policy: engine, audit: { write } };
    await expect(createGuard(options)).rejects.toThrow(/the scopes of 'policy' cannot be read: .*scopeVocabulary/);
  });

  it.each([undefined, null, 'text', { audit: null, agents: 1, policy: { close: 'no function' } }])(
    'whatever it is given: %j',
    async (options) => {
      await expect(createGuard(options as never)).rejects.toThrow('createGuard');
    },
  );
});

/** Parts of a guard that note when they are closed. */
function closable() {
  const closed: string[] = [];
  const noting = <P extends object>(name: string, part: P) => ({ ...part, close: async () => void closed.push(name) });
  const options = {
    origin: 'https://api.acme.dev',
    agents: noting('agents', agents),
    policy: noting('policy', policy),
    audit: noting('audit', { write }),
    revocations: noting('revocations', { findRevoked: () => undefined }),
    mtls: noting('mtls', { findByCertificate: () => ({ kind: 'none' }) as const, statusOf: () => 'unknown' as const }),
  };
  return { options, closed };
}

describe('what several guards are given', () => {
  const all = ['audit', 'agents', 'mtls', 'policy', 'revocations'];

  it('is closed with the last of them, after its log [G5]', async () => {
    const { options, closed } = closable();
    const [first, second] = [await createGuard(options), await createGuard(options)];
    await first.close();
    expect(closed).toEqual([]);
    const third = await createGuard(options);
    await Promise.all([second.close(), third.close()]);
    expect(closed).toEqual(all);
  });

  it('stays open for the others if one cannot be created [G5]', async () => {
    const { options, closed } = closable();
    const guard = await createGuard(options);
    await expect(createGuard({ ...options, maxAgeSeconds: -1 })).rejects.toThrow('maxAgeSeconds');
    expect(closed).toEqual([]);
    await guard.close();
    expect(closed).toEqual(all);
  });

  it('stays open for one that is created in the same turn as one that fails [G5]', async () => {
    const { options, closed } = closable();
    const failing = expect(createGuard({ ...options, maxAgeSeconds: -1 })).rejects.toThrow('maxAgeSeconds');
    const guard = await createGuard(options);
    await failing;
    expect(closed).toEqual([]);
    await guard.close();
    expect(closed).toEqual(all);
  });

  it('stays open if another guard is given its promise, and fails [G5]', async () => {
    const { options, closed } = closable();
    const guard = await createGuard(options);
    const promised = { ...options, agents: Promise.resolve(options.agents) as never };
    await expect(createGuard(promised)).rejects.toThrow("'agents' is a promise");
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toEqual([]);
    await guard.close();
  });

  it('stays open within `combine`, `fanOut` and lists until all that hold it are closed [G5]', async () => {
    const { options, closed } = closable();
    const combined = {
      ...options,
      agents: combine(options.agents, agents),
      audit: fanOut([options.audit, { write }]),
      revocations: [options.revocations, options.revocations],
    };
    const [first, second] = [await createGuard(combined), await createGuard(combined)];
    const third = await createGuard({ ...options, audit: [options.audit, { write }] });
    await first.close();
    await second.close();
    expect(closed).toEqual([]);
    await third.close();
    expect(closed).toEqual(all);
  });

  it.each(['agents', 'policy', 'audit', 'revocations', 'mtls'] as const)(
    'is not taken by another after the last of them has closed %s [G5]',
    async (name) => {
      const { options } = closable();
      await (await createGuard(options)).close();
      const anew = closable();
      const again = createGuard({ ...anew.options, [name]: options[name] });
      await expect(again).rejects.toThrow(
        `createGuard: '${name}' was closed by an earlier guard, or by a createGuard that failed. Open it again, or create`,
      );
      expect(anew.closed).toEqual(all.filter((other) => other !== name));
    },
  );

  it('is not taken within `combine` or a list after that [G5]', async () => {
    const { options } = closable();
    await (await createGuard(options)).close();
    for (const change of [
      { agents: combine(agents, options.agents) },
      { audit: [{ write }, options.audit] },
      { audit: fanOut([{ write }, options.audit]) },
      { revocations: [options.revocations] },
    ]) {
      await expect(createGuard({ ...closable().options, ...change })).rejects.toThrow('was closed');
    }
  });

  it('is taken by a guard that is made anew if there is nothing to close, as its replay store', async () => {
    const options = { origin: 'https://api.acme.dev', agents, policy, audit: { write }, replay: memoryReplayStore() };
    await (await createGuard(options)).close();
    await (await createGuard(options)).close();
  });
});

describe('two guards with one replay store', () => {
  it.each<[Partial<GuardOptions>, string]>([
    [{ maxAgeSeconds: 5 }, 'maxAgeSeconds: 60, this one 5'],
    [{ clockSkewSeconds: 1 }, 'clockSkewSeconds: 5, this one 1'],
    [{ dpop: { maxAgeSeconds: 5 } }, 'dpop.maxAgeSeconds: 60, this one 5'],
  ])('must accept what it remembers for one time, not %j [A10, G5]', async (change, problem) => {
    const replay = memoryReplayStore();
    await guarded({ replay, dpop: { maxAgeSeconds: 60 } });
    await guarded({ replay });
    await expect(guarded({ replay, ...change })).rejects.toThrow(problem);
  });
});

describe('a change of policies that asks for approval', () => {
  const permits = '@id("all") permit (principal, action, resource);';
  const asks = `@approval("managers") ${permits}`;
  const guarded = { origin: 'https://api.acme.dev', agents, audit: { write } };
  const approvals = { issuers: [{ issuer: 'https://id.acme.dev' }] };

  it('is refused for the reason that the start gives while nobody may approve, and the old policies decide', async () => {
    const engine = await cedarFromText({ policies: permits });
    const guard = await createGuard({ ...guarded, policy: engine });
    const before = engine.policySet;
    const changed = await engine.replace({ policies: asks });
    expect(changed).toEqual({ ok: false, problem: expect.stringContaining("'approvals' is missing") });
    expect(engine.policySet).toBe(before);
    const start = createGuard({ ...guarded, policy: await cedarFromText({ policies: asks }) });
    await expect(start).rejects.toThrow((changed as { problem: string }).problem);
    await guard.close();
    expect(await engine.replace({ policies: asks })).toEqual({ ok: true });
  });

  it('is accepted while people may approve, and refused again for a second guard without', async () => {
    const engine = await cedarFromText({ policies: permits });
    const guard = await createGuard({ ...guarded, policy: engine, approvals });
    expect(await engine.replace({ policies: asks })).toEqual({ ok: true });
    expect(await engine.replace({ policies: permits })).toEqual({ ok: true });
    const second = await createGuard({ ...guarded, policy: engine });
    expect(await engine.replace({ policies: asks })).toMatchObject({ ok: false });
    await second.close();
    expect(await engine.replace({ policies: asks })).toEqual({ ok: true });
    await guard.close();
  });
});
