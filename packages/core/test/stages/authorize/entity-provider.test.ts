import { describe, expect, it, vi } from 'vitest';
import { ConfigError } from '@countersign/common';
import { cedarFromText } from '@countersign/policy';
import type { EntityProvider, EntityRecord } from '../../../src/stages/authorize/entity-provider.js';
import { patiently } from '../../../../../test/support/patiently.js';
import { allow, engine, guarded, letIn } from '../../guarded.js';

class Row {
  readonly secret = true;
}

const POLICIES = `permit(principal, action, resource) when { resource has open && resource.open };
permit(principal, action, resource in Folder::"shared");`;

const records: Record<string, Awaited<ReturnType<EntityProvider>>> = {
  open: { attributes: { open: true } },
  shared: { parents: [{ type: 'Folder', id: 'shared' }] },
  plain: {},
};

const reading = (id: string, more: object = {}) => ({ action: 'doc.read', resource: { type: 'Doc', id, ...more } });

async function withEntities(provider: EntityProvider) {
  const entities = vi.fn(provider);
  const troubles: string[] = [];
  const policy = await cedarFromText({ policies: POLICIES });
  const onTrouble = (text: string): void => void troubles.push(text);
  return { ...(await guarded({ policy, entities, onTrouble })), entities, troubles };
}

const ofTenants: EntityProvider = ({ id }) => ({
  attributes: { open: true },
  parents: id === 'ours' ? [] : [{ type: 'Tenant', id: 'acme' }],
});

describe('entities', () => {
  it('completes a resource that is named by type and id only', async () => {
    const { guard } = await withEntities(async ({ id }) => records[id]);
    const caller = await letIn(guard);
    const answers = [];
    for (const id of ['open', 'shared', 'plain']) answers.push((await guard.authorize(caller, reading(id))).ok);
    expect(answers).toEqual([true, true, false]);
  });

  it('is asked for what the route leaves out, and not about one that it describes as a whole [D9]', async () => {
    const { guard, entities } = await withEntities(() => ({ attributes: { open: true } }));
    const caller = await letIn(guard);
    const whole = { attributes: {}, parents: [] };
    expect(await guard.authorize(caller, reading('x', whole))).toMatchObject({ ok: false });
    expect(entities).not.toHaveBeenCalled();
    expect(await guard.authorize(caller, reading('x', { attributes: { amount: 7 } }))).toMatchObject({ ok: true });
    expect(await guard.authorize(caller, reading('x', { parents: [] }))).toMatchObject({ ok: true });
    expect(entities).toHaveBeenCalledTimes(2);
  });

  it('keeps the parents of a resource of which a route or a row says more [D9]', async () => {
    const policies = `permit(principal, action, resource);
      forbid(principal, action, resource in Tenant::"acme"); forbid(principal, action, resource in Tenant::"globex");`;
    const { guard } = await guarded({ policy: await cedarFromText({ policies }), entities: ofTenants });
    const caller = await letIn(guard);
    const ok = async (id: string, more: object) => (await guard.authorize(caller, reading(id, more))).ok;
    expect([await ok('theirs', { attributes: { amount: 7 } }), await ok('theirs', { parents: [] })]).toEqual([
      false,
      false,
    ]);
    expect(await ok('ours', { attributes: { amount: 7 } })).toBe(true);
    expect(await ok('ours', { parents: [{ type: 'Tenant', id: 'globex' }] })).toBe(false);
    const rows = [
      { type: 'Doc', id: 'theirs', attributes: {} },
      { type: 'Doc', id: 'ours', attributes: {} },
    ];
    expect(await guard.filter(caller, 'doc.read', rows)).toEqual({ ok: true, permitted: [rows[1]] });
  });

  it('refuses a resource of which the two readings differ, and leaves it out of a list', async () => {
    const { guard, audit } = await withEntities(() => ({ attributes: { open: true } }));
    const caller = await letIn(guard);
    const row = { type: 'Doc', id: 'x', attributes: { open: false } };
    expect(await guard.authorize(caller, { action: 'doc.read', resource: row })).toMatchObject({
      ok: false,
      refusal: { code: 'policy_denied' },
    });
    expect(audit.records[0]?.detail).toBe("entities() differs in the attribute 'open'");
    const rows = [row, { ...row, attributes: { open: true } }];
    expect(await guard.filter(caller, 'doc.read', rows)).toEqual({ ok: true, permitted: [rows[1]] });
  });

  it('believes no parent that a route or a row claims beside those that it knows [D9]', async () => {
    const shared = { type: 'Folder', id: 'shared' };
    const folders: Readonly<Record<string, EntityRecord>> = {
      secret: { parents: [{ type: 'Folder', id: 'secret' }] },
      nowhere: { parents: [] },
      shared: { parents: [{ type: 'Folder', id: 'other' }, shared] },
      unsaid: { attributes: {} },
      misspelt: { parents: undefined } as unknown as EntityRecord,
      unknown: {},
    };
    const { guard, audit } = await withEntities(({ id }) => folders[id]);
    const caller = await letIn(guard);
    const ok = async (id: string) => (await guard.authorize(caller, reading(id, { parents: [shared] }))).ok;
    const believed = [];
    for (const id of Object.keys(folders)) if (await ok(id)) believed.push(id);
    expect(believed).toEqual(['shared', 'unknown']);
    expect(audit.records[0]).toMatchObject({
      code: 'policy_denied',
      detail: 'entities() names no such parent of type "Folder"',
    });
    const rows = ['secret', 'shared'].map((id) => ({ type: 'Doc', id, parents: [shared] }));
    expect(await guard.filter(caller, 'doc.read', rows)).toEqual({ ok: true, permitted: [rows[1]] });
  });

  it.each<[string, object]>([
    ["'attributes' is no plain object", { attributes: new Map([['open', false]]) }],
    ["'attributes' is no object", { attributes: null }],
    ["'parents' is no list of { type, id }", { parents: {} }],
    ["'parents' is no list of { type, id }", { parents: null }],
  ])('denies what cannot be joined, and leaves it out of a list: %s', async (problem, more) => {
    const { guard } = await withEntities(() => ({ attributes: { open: true } }));
    const caller = await letIn(guard);
    expect(await guard.authorize(caller, reading('x', more))).toMatchObject({
      ok: false,
      refusal: { code: 'policy_error', detail: `the resource besides entities(): ${problem}` },
    });
    const rows = [reading('x', more).resource, reading('y').resource];
    expect(await guard.filter(caller, 'doc.read', rows)).toEqual({ ok: true, permitted: [rows[1]] });
  });

  it('that gives attributes of a class cannot be joined: 500, as its own fault', async () => {
    const { guard } = await withEntities(() => ({
      attributes: Object.create({ open: true }) as Record<string, unknown>,
    }));
    expect(await guard.authorize(await letIn(guard), reading('x', { parents: [] }))).toMatchObject({
      ok: false,
      refusal: { code: 'resource_unresolved', detail: "entities(): 'attributes' is no plain object" },
    });
  });

  it('an unknown resource gets the same refusal as a forbidden one [D12]', async () => {
    const { guard, audit } = await withEntities(async ({ id }) => records[id]);
    const caller = await letIn(guard);
    const [absent, forbidden] = [
      await guard.authorize(caller, reading('none')),
      await guard.authorize(caller, reading('plain')),
    ];
    if (absent.ok || forbidden.ok) throw new Error('permitted');
    expect(guard.respond(absent.refusal)).toEqual(guard.respond(forbidden.refusal));
    expect(absent.refusal.code).toBe('policy_denied');
    expect(audit.records[0]?.detail).toBe('there is no such resource');
  });

  it.each<[string, object, string]>([
    ['without the scope', { requires: 'doc:write' }, 'insufficient_scope'],
    ['limited to other things', { details: [{ type: 'Repo' }] }, 'policy_denied'],
  ])('an agent %s is told the same of a resource that exists and of none [D12]', async (_title, how, code) => {
    const { requires, details } = how as { readonly requires?: string; readonly details?: object[] };
    const { guard } = await guarded({ policy: engine(() => allow) });
    const caller = await letIn(guard, details === undefined ? {} : { authorization_details: details });
    const answers = ['open', undefined].map(async (id) => {
      const resource = () => Promise.resolve(id === undefined ? undefined : { type: 'Doc', id });
      const authorization = await guard.authorize(caller, {
        action: 'doc.read',
        resource,
        ...(requires && { requires }),
      });
      return authorization.ok ? undefined : guard.respond(authorization.refusal);
    });
    const [present, absent] = await Promise.all(answers);
    expect(present).toEqual(absent);
    expect(JSON.parse(present?.body ?? '')).toMatchObject({ code });
  });

  it.each([{ parent: [{ type: 'Folder', id: 'shared' }] }, { open: true }])(
    'that gives %j in place of attributes and parents is refused [D9]',
    async (record) => {
      const { guard, audit } = await withEntities(async () => record as EntityRecord);
      const refused = await guard.authorize(await letIn(guard), reading('x'));
      expect(refused).toMatchObject({ refusal: { code: 'resource_unresolved' } });
      expect(audit.records[0]?.detail).toContain('is no member of it');
    },
  );

  it('is asked anew for each decision of a request, one about a list among them [D9]', async () => {
    let open = true;
    const { guard, entities } = await withEntities(({ id }) => (id === 'none' ? undefined : { attributes: { open } }));
    const caller = await letIn(guard);
    const items = ['one', 'none', 'one'].map((id) => ({ type: 'Doc', id, code: 'x' }));
    expect(await guard.filter(caller, 'doc.read', items)).toEqual({ ok: true, permitted: [items[0], items[2]] });
    expect(await guard.authorize(caller, reading('one'))).toMatchObject({ ok: true });
    open = false;
    expect(await guard.authorize(caller, reading('one'))).toMatchObject({ ok: false });
    expect(await guard.filter(caller, 'doc.read', items)).toEqual({ ok: true, permitted: [] });
    // Once for each resource of a list.
    expect(entities).toHaveBeenCalledTimes(6);
  });

  it.each<[string, string, EntityProvider]>([
    [
      'throws',
      'RangeError',
      () => {
        throw new RangeError('no row for hunter2');
      },
    ],
    ['rejects', 'RangeError', () => Promise.reject(new RangeError('no row for hunter2'))],
    ['gives null', 'it gave neither an object nor undefined', () => null as never],
    ['gives a list', 'it gave neither an object nor undefined', () => [] as never],
    ['gives rows', 'it gave neither an object nor undefined', () => [{ attributes: { open: true } }] as never],
    ['gives a list of attributes', "'attributes' is no object", () => ({ attributes: [] }) as never],
    // What an ORM finds.
    [
      'gives a row of a class',
      "it gave an object of a class without 'attributes' and 'parents'",
      () => new Row() as never,
    ],
    [
      'gives an error',
      "it gave an object of a class without 'attributes' and 'parents'",
      () => new Error('gone') as never,
    ],
    ['gives a map', "it gave an object of a class without 'attributes' and 'parents'", () => new Map() as never],
    ['gives text', 'it gave neither an object nor undefined', () => 'open' as never],
    ['gives attributes that are none', "'attributes' is no object", () => ({ attributes: 'open' as never })],
    [
      'gives parents that are no list',
      "'parents' is no list of { type, id }",
      () => ({ parents: { type: 'Folder', id: 'shared' } as never }),
    ],
    [
      'gives a parent without id',
      "'parents' is no list of { type, id }",
      () => ({ parents: [{ type: 'Folder' } as never] }),
    ],
    [
      'gives what throws when it is read',
      'RangeError',
      () => ({
        get attributes(): never {
          throw new RangeError('hunter2');
        },
      }),
    ],
  ])('an application that %s: 500, and what it says stays out of the log [F2]', async (_title, detail, provider) => {
    const { guard, audit, troubles } = await withEntities(provider);
    const caller = await letIn(guard);
    const refused = { ok: false, refusal: { code: 'resource_unresolved', status: 500 } };
    expect(await guard.authorize(caller, reading('open'))).toMatchObject(refused);
    expect(await guard.filter(caller, 'doc.read', [{ type: 'Doc', id: 'open' }])).toMatchObject(refused);
    expect(audit.records.map((record) => record.detail)).toEqual([`entities(): ${detail}`, `entities(): ${detail}`]);
    // One report for each of the two refusals.
    const named = expect.stringContaining('entities() failed for "Doc", id "open": ');
    expect(troubles).toEqual([named, named]);
  });

  const bad: Record<string, () => EntityRecord> = {
    throws: () => {
      throw new TypeError('folders of hunter2');
    },
    'gives an empty folder': () => ({ parents: [{ type: 'Folder', id: '' }] }),
    'gives no object': () => null as never,
    'gives attributes of a class': () => ({ attributes: new Map() as never }),
  };

  it.each(Object.keys(bad))(
    'that %s for one row leaves it out of a list, and the report names it [D1]',
    async (how) => {
      const { guard, audit, troubles } = await withEntities(({ id }) => (id === 'unfit' ? bad[how]!() : records[id]));
      // With parents of its own, a row is joined with what is known of it.
      const rows = ['open', 'unfit', 'plain', 'shared'].map((id) => ({ type: 'Doc', id, attributes: {} }));
      const answer = await guard.filter(await letIn(guard), 'doc.read', rows);
      expect(answer).toEqual({ ok: true, permitted: [rows[0], rows[3]] });
      expect(audit.records).toMatchObject([
        { decision: 'allow', detail: expect.stringMatching(/^1 could not be decided: entities\(\): /) },
      ]);
      expect(audit.records[0]?.filtered).toMatchObject({ asked: 4, permitted: 2 });
      expect(JSON.stringify(audit.records)).not.toMatch(/hunter2|unfit/);
      expect(troubles).toEqual([
        expect.stringMatching(/resource_unresolved at .*: 1 could not .* "Doc", id "unfit": /),
      ]);
    },
  );

  it('that fails for all rows refuses the list, as in an outage of the database', async () => {
    const { guard, audit } = await withEntities(() => Promise.reject(new Error('connection refused')));
    const rows = ['a', 'b', 'c'].map((id) => ({ type: 'Doc', id }));
    const limited = { authorization_details: [{ type: 'Doc', identifier: 'b' }] };
    for (const caller of [await letIn(guard), await letIn(guard, limited)]) {
      const refusal = { code: 'resource_unresolved', status: 500 };
      expect(await guard.filter(caller, 'doc.read', rows)).toMatchObject({ ok: false, refusal });
    }
    expect(audit.records.map(({ code }) => code)).toEqual(['resource_unresolved', 'resource_unresolved']);
  });

  // A rejection that nobody handles fails the run.
  it.each<[string, (rejected: () => never) => object]>([
    ['attributes', (rejected) => ({ attributes: rejected() })],
    ['parents', (rejected) => ({ parents: rejected() })],
    ['two attributes', (rejected) => ({ attributes: { a: rejected(), b: rejected() } })],
    ['a parent', (rejected) => ({ parents: [rejected(), rejected()] })],
    ['another member', (rejected) => ({ attribute: rejected() })],
    ['each of several', (rejected) => [rejected(), rejected()]],
  ])('one that gives a promise of %s is refused, and its rejection contained [D11]', async (_what, record) => {
    const { guard } = await withEntities(() => record(() => Promise.reject(new Error('no such row')) as never));
    expect(await guard.authorize(await letIn(guard), reading('open'))).toMatchObject({ ok: false });
  });

  // A rejection that nobody handles fails the run.
  it('a resource that is a promise is refused, and its rejection contained [D11]', async () => {
    const { guard } = await guarded();
    const caller = await letIn(guard);
    const resource = Promise.reject(new Error('no such row')) as never;
    expect(await guard.authorize(caller, { action: 'doc.read', resource })).toMatchObject({
      ok: false,
      refusal: { code: 'resource_unresolved' },
    });
  });

  it('one that does not answer in time: 503', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { guard } = await guarded({ entities: () => new Promise(() => {}), lookupTimeoutSeconds: 2 });
    const asking = guard.authorize(await letIn(guard), reading('open'));
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1), patiently);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await asking).toMatchObject({ ok: false, refusal: { code: 'policy_unavailable', status: 503 } });
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('one that does not answer refuses a long list after one limit, and is asked no more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const entities = vi.fn(() => new Promise<never>(() => {}));
    const { guard } = await guarded({ entities, lookupTimeoutSeconds: 2 });
    const rows = Array.from({ length: 500 }, (_, id) => ({ type: 'Doc', id: String(id) }));
    const listing = guard.filter(await letIn(guard), 'doc.read', rows);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0), patiently);
    const asked = entities.mock.calls.length;
    await vi.advanceTimersByTimeAsync(2000);
    expect(await listing).toMatchObject({ ok: false, refusal: { code: 'policy_unavailable', status: 503 } });
    expect(entities).toHaveBeenCalledTimes(asked);
    vi.useRealTimers();
  });

  it('that fails late for each row refuses a long list after one limit, and is asked no more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const entities = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1900));
      throw new Error('no connection in 1.9 s');
    });
    const { guard } = await guarded({ entities, lookupTimeoutSeconds: 2 });
    const rows = Array.from({ length: 500 }, (_, id) => ({ type: 'Doc', id: String(id) }));
    const listing = guard.filter(await letIn(guard), 'doc.read', rows);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0), patiently);
    await vi.advanceTimersByTimeAsync(2 * 1900);
    expect(await listing).toMatchObject({ ok: false, refusal: { code: 'resource_unresolved', status: 500 } });
    expect(entities).toHaveBeenCalledTimes(32);
    vi.useRealTimers();
  });

  it('is not asked about what the delegation does not cover', async () => {
    const entities = vi.fn(() => ({}));
    const { guard, audit } = await guarded({ policy: engine(() => allow), entities });
    const caller = await letIn(guard, { authorization_details: [{ type: 'Doc', identifier: 'other' }] });
    expect(await guard.authorize(caller, reading('open'))).toMatchObject({ refusal: { code: 'policy_denied' } });
    expect(audit.records[0]?.code).toBe('authorization_details_exceeded');
    expect(entities).not.toHaveBeenCalled();
  });

  it.each<[object, RegExp]>([
    [{ entities: {} }, /'entities' must be a function/],
    [{ lookupTimeoutSeconds: 0 }, /'lookupTimeoutSeconds' must be a whole number from 1 to 60/],
  ])('wrong options stop the start: %j [G5]', async (options, message) => {
    await expect(guarded(options)).rejects.toThrow(ConfigError);
    await expect(guarded(options)).rejects.toThrow(message);
  });
});
