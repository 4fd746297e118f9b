import { describe, expect, it, vi } from 'vitest';
import { cedarFromText, type PolicyDecision, type PolicyEngine, type Resource } from '@countersign/policy';
import { memoryRevocations } from '../../../src/stages/revocation/memory-revocations.js';
import { deferred } from '../../../../../test/support/deferred.js';
import { patiently } from '../../../../../test/support/patiently.js';
import { allow, engine, guarded, letIn, letInDelegator } from '../../guarded.js';

const POLICIES = `@id("even") permit(principal, action == Action::"thing.read", resource) when { resource.n == 2 };
@id("one") permit(principal, action == Action::"thing.read", resource == Thing::"1")
when { context.scope.contains("thing:read") };`;

const things = (count: number): { type: string; id: string; title: string; attributes: { n: number } }[] =>
  Array.from({ length: count }, (_, n) => ({ type: 'Thing', id: `${n}`, title: `no. ${n}`, attributes: { n } }));

const write = (): Promise<void> => Promise.reject(new Error('disk full'));
const detail = (identifier: string, datatype: string): object => ({ type: 'Thing', identifier, datatypes: [datatype] });
const deny: PolicyDecision = { ...allow, decision: 'deny', policies: ['no'] };
const right = (privilege: string, datatype: string): object => ({
  type: 'Thing',
  privileges: [privilege],
  datatypes: [datatype],
});
const idOf = ({ id }: Resource): string => id;

/** As applications model their data: what it is in, and its attributes, are computed. */
class Row {
  readonly type = 'Thing';
  readonly id: string;
  constructor(id: string) {
    this.id = id;
  }
  get attributes() {
    return { secret: this.id === 'secret' };
  }
  get parents() {
    return this.id === 'locked' ? [{ type: 'Vault', id: '1' }] : [];
  }
}

describe('A resource that is an object of a class', () => {
  it('is decided with what its getters give, alone and in a list [D15]', async () => {
    const policies = `permit(principal, action, resource);
forbid(principal, action, resource) when { resource has secret && resource.secret };
forbid(principal, action, resource in Vault::"1");`;
    const { guard } = await guarded({ policy: await cedarFromText({ policies }) });
    const caller = await letIn(guard);
    const rows = ['open', 'secret', 'locked'].map((id) => new Row(id));
    expect(await guard.filter(caller, 'thing.read', rows)).toEqual({ ok: true, permitted: [rows[0]] });
    const each = rows.map(async (resource) => (await guard.authorize(caller, { action: 'thing.read', resource })).ok);
    expect(await Promise.all(each)).toEqual([true, false, false]);
  });
});

describe('guard.filter', () => {
  it('returns the permitted resources in order, with one record', async () => {
    const { guard, audit } = await guarded({ policy: await cedarFromText({ policies: POLICIES }) });
    const caller = await letIn(guard);
    const items = things(5);
    const answer = await guard.filter(caller, 'thing.read', items);
    expect(answer).toEqual({ ok: true, permitted: [items[1], items[2]] });
    expect(answer.ok && answer.permitted[0]).toBe(items[1]);
    await guard.complete(caller, { result: 'finished', status: 200 });
    expect(audit.records).toMatchObject([
      {
        phase: 'decision',
        decision: 'allow',
        actor: { id: 'agent-a' },
        action: 'thing.read',
        filtered: {
          asked: 5,
          permitted: 2,
          resources: [
            { type: 'Thing', id: '1' },
            { type: 'Thing', id: '2' },
          ],
        },
        policies: ['policies.cedar#one', 'policies.cedar#even'],
        policySet: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      { phase: 'outcome', outcome: { result: 'finished' } },
    ]);
    expect(audit.records[0]).not.toHaveProperty('resource');
  });

  it('returns the items that it was given when the list changes meanwhile [J6]', async () => {
    const cedar = await cedarFromText({ policies: POLICIES });
    const items = things(4);
    const [, , two] = items;
    const { guard } = await guarded({
      policy: engine((query) => {
        if (query.resource.id === '0') items.reverse();
        return Promise.resolve(cedar.decide(query));
      }),
    });
    const answer = await guard.filter(await letIn(guard), 'thing.read', items);
    expect(items.map(idOf)).toEqual(['3', '2', '1', '0']);
    expect(answer).toEqual({ ok: true, permitted: [two] });
  });

  it('decides like authorize, also with an engine without decideMany', async () => {
    const cedar = await cedarFromText({ policies: POLICIES });
    const alone = engine((query) => Promise.resolve(cedar.decide(query)));
    for (const policy of [cedar, alone]) {
      const { guard } = await guarded({ policy });
      const caller = await letIn(guard);
      const items = things(40);
      const answer = await guard.filter(caller, 'thing.read', items);
      const each = await Promise.all(
        items.map(async (resource) => (await guard.authorize(caller, { action: 'thing.read', resource })).ok),
      );
      expect(answer).toEqual({ ok: true, permitted: items.filter((_item, place) => each[place]) });
    }
  });

  it('asks an engine without decideMany about a few at a time', async () => {
    let open = 0;
    let most = 0;
    const policy = engine(async () => {
      most = Math.max(most, ++open);
      await Promise.resolve();
      open--;
      return allow;
    });
    const { guard } = await guarded({ policy });
    expect(await guard.filter(await letIn(guard), 'thing.read', things(100))).toMatchObject({ ok: true });
    expect(most).toBe(16);
  });

  it('asks about four lists of an agent at once, and makes no other agent wait for them [J3]', async () => {
    const held = deferred();
    const asked = vi.fn<(agent: string) => void>();
    const policy = engine(async ({ principal }) => {
      asked(principal.id);
      if (principal.id === 'agent-a') await held.promise;
      return allow;
    });
    const { guard } = await guarded({ policy });
    const callers = await Promise.all(Array.from({ length: 10 }, () => letIn(guard)));
    const lists = callers.map((caller) => guard.filter(caller, 'thing.read', things(40)));
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(4 * 16), patiently);
    expect(await guard.filter(await letInDelegator(guard), 'thing.read', things(40))).toMatchObject({ ok: true });
    expect(asked.mock.calls.filter(([agent]) => agent === 'agent-a')).toHaveLength(4 * 16);
    held.resolve();
    expect(await Promise.all(lists)).toEqual(lists.map(() => expect.objectContaining({ ok: true })));
    expect(asked.mock.calls.filter(([agent]) => agent === 'agent-a')).toHaveLength(10 * 40);
  });

  it('makes no user of an application that proved no key wait for the lists of another one [J3]', async () => {
    const held = deferred();
    const asked = vi.fn<(user: unknown) => void>();
    const policy = engine(async ({ context }) => {
      asked(context.onBehalfOf);
      if (context.onBehalfOf === 'mallory') await held.promise;
      return allow;
    });
    const { guard } = await guarded({ policy });
    const list = (subject: string) => guard.filter(guard.local({ agent: 'app', subject }), 'thing.read', things(2));
    const lists = Array.from({ length: 5 }, () => list('mallory'));
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(4 * 2), patiently);
    expect(await list('alice')).toMatchObject({ ok: true });
    expect(asked.mock.calls.filter(([user]) => user === 'mallory')).toHaveLength(4 * 2);
    held.resolve();
    await Promise.all(lists);
  });

  it('returns an empty list with a deny record when nothing is permitted, and without a record for an empty list', async () => {
    const { guard, audit } = await guarded({ policy: engine(() => deny) });
    const caller = await letIn(guard);
    expect(await guard.filter(caller, 'thing.read', things(3))).toEqual({ ok: true, permitted: [] });
    expect(await guard.filter(caller, 'thing.read', [])).toEqual({ ok: true, permitted: [] });
    expect(audit.records).toMatchObject([
      { decision: 'deny', code: 'policy_denied', policies: [], filtered: { asked: 3, permitted: 0, resources: [] } },
      { decision: 'allow', filtered: { asked: 0 } },
    ]);
  });

  it('records an outcome for a returned list, even before a later refusal, and none for a refused list [F5]', async () => {
    const { guard, audit } = await guarded({ policy: engine(() => deny) });
    const given = await letIn(guard);
    expect(await guard.filter(given, 'thing.read', things(1))).toEqual({ ok: true, permitted: [] });
    await guard.complete(given, { result: 'finished', status: 403 }, { refused: true });
    const refused = await letIn(guard);
    expect(await guard.filter(refused, 'thing.read', things(1), { requires: 'x:y' })).toMatchObject({ ok: false });
    await guard.complete(refused, { result: 'finished', status: 403 }, { refused: true });
    expect(audit.records.map(({ phase, code }) => [phase, code])).toEqual([
      ['decision', 'policy_denied'],
      ['outcome', undefined],
      ['decision', 'insufficient_scope'],
    ]);
  });

  it('omits a resource whose decision fails, and records it [D1]', async () => {
    const troubles: string[] = [];
    const onTrouble = (text: string): void => void troubles.push(text);
    const { guard, audit } = await guarded({ policy: await cedarFromText({ policies: POLICIES }), onTrouble });
    const answer = await guard.filter(await letIn(guard), 'thing.read', [{ type: 'Thing', id: 'bare' }, ...things(3)]);
    expect(answer.ok && answer.permitted.map(idOf)).toEqual(['1', '2']);
    expect(audit.records[0]?.detail).toMatch(/^1 could not be decided: policies\.cedar#even: /);
    expect(troubles[0]).toContain('policies.cedar#even');
  });

  it.each<[string, object, string, string]>([
    [
      'without id',
      { type: 'Thing', id: '' },
      "resource 1 of the list: a resource needs a type and an id, both text, and 'id' is empty",
      "'id' is empty",
    ],
    [
      'whose getter throws',
      {
        type: 'Thing',
        id: 'bad',
        get parents(): never {
          throw new TypeError('no folders of hunter2');
        },
      },
      'resource 1 of the list: TypeError',
      'resource 1 of the list cannot be read: TypeError: no folders of hunter2',
    ],
  ])('omits an item %s, and records and reports it [D1]', async (_what, item, detail, reported) => {
    const troubles: string[] = [];
    const { guard, audit } = await guarded({ onTrouble: (text) => void troubles.push(text) });
    const [first, last] = things(2);
    const answer = await guard.filter(await letIn(guard), 'thing.read', [first, item as Resource, last] as Resource[]);
    expect(answer).toEqual({ ok: true, permitted: [first, last] });
    expect(audit.records[0]).toMatchObject({
      decision: 'allow',
      detail: `1 could not be decided: ${detail}`,
      filtered: { asked: 3, permitted: 2 },
    });
    expect(troubles).toEqual([expect.stringContaining(reported)]);
  });

  it('records the number and the first names of a long list', async () => {
    const { guard, audit } = await guarded();
    const long = things(300).map((thing) => ({ ...thing, id: `${'x'.repeat(95)}${thing.id}` }));
    await guard.filter(await letIn(guard), 'thing.read', things(300));
    await guard.filter(await letIn(guard), 'thing.read', long);
    expect(audit.records.map(({ filtered }) => [filtered?.asked, filtered?.permitted])).toEqual([
      [300, 300],
      [300, 300],
    ]);
    expect(audit.records.map(({ filtered }) => filtered?.resources.length)).toEqual([100, 58]);
  });

  it('leaves out what a record cannot name whole, and names all others [F3]', async () => {
    const { guard, audit } = await guarded();
    const [first, ...others] = things(20);
    const items = [{ ...first!, id: 'x'.repeat(6500) }, ...others];
    expect(await guard.filter(await letIn(guard), 'thing.read', items)).toEqual({ ok: true, permitted: others });
    expect(audit.records[0]?.filtered).toMatchObject({ asked: 20, permitted: 19 });
    expect(audit.records[0]?.filtered?.resources).toHaveLength(19);
  });
});

function failing(name: string, decideMany: NonNullable<PolicyEngine['decideMany']>): [string, PolicyEngine] {
  return [name, { ...engine(() => allow), decideMany }];
}

describe('guard.filter refuses the whole list', () => {
  it.each<[string, PolicyEngine]>([
    failing('an engine that rejects', () => Promise.reject(new Error('down'))),
    failing('an engine that throws', () => {
      throw new Error('down');
    }),
    [
      'one that is down for one of them',
      engine(({ resource: { id } }) => (id === '7' ? Promise.reject(new Error('down')) : allow)),
    ],
  ])('%s is an outage [D4]', async (_title, policy) => {
    const { guard, audit } = await guarded({ policy });
    const refusal = { code: 'policy_unavailable', status: 503 };
    expect(await guard.filter(await letIn(guard), 'thing.read', things(20))).toMatchObject({ ok: false, refusal });
    expect(audit.records).toMatchObject([{ decision: 'deny', code: 'policy_unavailable', action: 'thing.read' }]);
  });

  it.each<[string, PolicyEngine]>([
    failing('too few', async () => [allow]),
    failing('too many', async () => [allow, allow, allow]),
    failing('no list', async () => allow as never),
    failing('promises of none', async () => [Promise.reject(new Error('down'))] as never),
    failing('holes', async () => Object.assign([], { length: 2 })),
  ])('an engine that answers with %s permits nothing [D4]', async (_title, policy) => {
    const { guard } = await guarded({ policy });
    expect(await guard.filter(await letIn(guard), 'thing.read', things(2))).toEqual({ ok: true, permitted: [] });
  });

  // A rejection that nobody handles fails the run.
  it.each<[string, (rejected: () => Promise<never>) => unknown]>([
    ['of a list', (rejected) => rejected()],
    ['of each item', (rejected) => [rejected(), rejected()]],
  ])('that is a promise %s, whose rejection is contained [D11]', async (_of, items) => {
    const { guard } = await guarded();
    const caller = await letIn(guard);
    const given = items(() => Promise.reject(new Error('no pool'))) as never;
    expect(await guard.filter(caller, 'thing.read', given)).toMatchObject({
      ok: false,
      refusal: { code: 'resource_unresolved' },
    });
  });

  it('when a revocation happened meanwhile, or cannot be checked [C7]', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    guard.revocations.revoke({ agent: 'agent-a' });
    const refused = await guard.filter(caller, 'thing.read', things(2));
    expect(refused).toMatchObject({ ok: false, refusal: { code: 'agent_suspended' } });
    expect(audit.records).toMatchObject([{ decision: 'deny', code: 'agent_suspended', action: 'thing.read' }]);

    let down = false;
    const { findRevoked } = memoryRevocations();
    const source = { findRevoked: () => (down ? Promise.reject(new Error('down')) : findRevoked([], 0)) };
    let time = Date.now();
    const unsure = await guarded({ revocations: source, clock: () => time });
    const other = await letIn(unsure.guard);
    down = true;
    time += 2000;
    expect(await unsure.guard.filter(other, 'thing.read', things(2))).toMatchObject({
      ok: false,
      refusal: { code: 'revocations_unavailable' },
    });
  });

  it('when the scope is insufficient', async () => {
    const decide = vi.fn(() => allow);
    const { guard } = await guarded({ policy: engine(decide) });
    const caller = await letIn(guard);
    expect(await guard.filter(caller, 'thing.read', things(2), { requires: 'other' })).toMatchObject({
      ok: false,
      refusal: { code: 'insufficient_scope', requiredScope: 'other' },
    });
    expect(decide).not.toHaveBeenCalled();
    expect(await guard.filter(caller, 'thing.read', things(2), { requires: 'thing:read' })).toMatchObject({ ok: true });
  });

  it.each<[string, string, readonly unknown[]]>([
    [
      'only items without id',
      'resource 0 of the list: a resource needs { type, id }, and it is null',
      [null, { type: 'Thing' }],
    ],
    ['null', 'resource 0 of the list: a resource needs { type, id }, and it is null', [null]],
    [
      'one that throws when it is read',
      'resource 0 of the list: Error',
      [
        {
          get type() {
            throw new Error('no');
          },
        },
      ],
    ],
  ])('that holds nothing readable: %s', async (_title, detail, items) => {
    const { guard, audit } = await guarded();
    expect(await guard.filter(await letIn(guard), 'thing.read', items as never)).toMatchObject({
      ok: false,
      refusal: { code: 'resource_unresolved' },
    });
    expect(audit.records).toMatchObject([{ code: 'resource_unresolved', detail }]);
    expect(await guard.filter(await letIn(guard), 'thing.read', 'no list' as never)).toMatchObject({ ok: false });
  });

  it('when its record cannot be written [F4]', async () => {
    const { guard } = await guarded({ audit: { write } });
    expect(await guard.filter(await letIn(guard), 'thing.read', things(2))).toMatchObject({
      ok: false,
      refusal: { code: 'audit_unavailable' },
    });
    const excused = await guarded({ audit: { write }, dangerouslyActWithoutRecord: ['thing.read'] });
    expect(await excused.guard.filter(await letIn(excused.guard), 'thing.read', things(2))).toMatchObject({ ok: true });
  });

  it('for a caller whose request has ended, or that no guard has let in [G1]', async () => {
    const { guard } = await guarded();
    const caller = await letIn(guard);
    const notServed = { ok: false, refusal: { code: 'not_authenticated' } };
    expect(await guard.filter({ ...caller }, 'thing.read', things(2))).toMatchObject(notServed);
    await guard.complete(caller, { result: 'finished', status: 200 });
    expect(await guard.filter(caller, 'thing.read', things(2))).toMatchObject(notServed);
  });

  it('unless authorization_details cover part of it: it omits the rest, and policy sees the matching details of each', async () => {
    const seen: unknown[] = [];
    const policy = engine(({ resource, context }) => {
      seen.push([resource.id, context.authorizationDetails?.datatypes]);
      return allow;
    });
    const { guard } = await guarded({ policy });
    const details = [detail('1', 'a'), detail('3', 'a'), detail('4', 'b')];
    const caller = await letIn(guard, { authorization_details: details });
    const answer = await guard.filter(caller, 'thing.read', things(6));
    expect(answer.ok && answer.permitted.map(idOf)).toEqual(['1', '3', '4']);
    expect(seen).toEqual([
      ['1', ['a']],
      ['3', ['a']],
      ['4', ['b']],
    ]);
  });

  it('reads the details of a link once for all items that the same of them cover [J3]', async () => {
    const seen: unknown[] = [];
    const decideMany: PolicyEngine['decideMany'] = async ({ context }, resources) => {
      seen.push([resources.map(idOf), context.authorizationDetails]);
      return resources.map(() => allow);
    };
    const { guard } = await guarded({ policy: { ...engine(() => allow), decideMany } });
    const details = [{ type: 'Thing', privileges: ['admin'] }, detail('1', 'a')];
    const caller = await letIn(guard, { authorization_details: details });
    expect(await guard.filter(caller, 'thing.read', things(6))).toMatchObject({ ok: true });
    expect(seen).toEqual([[['0', '2', '3', '4', '5'], { types: ['Thing'], privileges: ['admin'] }]]);
  });

  it('asks about each of several details only what all of them together would permit, until one permits', async () => {
    const seen: unknown[] = [];
    const decideMany: PolicyEngine['decideMany'] = async ({ context }, resources) => {
      const { privileges = [], datatypes = [] } = context.authorizationDetails ?? {};
      seen.push([resources.map(idOf), privileges, datatypes]);
      return resources.map(({ id }) =>
        id === '0' || (privileges.includes('write') && datatypes.includes('b')) ? (id === '3' ? deny : allow) : deny,
      );
    };
    const { guard } = await guarded({ policy: { ...engine(() => allow), decideMany } });
    const details = [right('write', 'a'), right('read', 'b'), right('write', 'a')];
    const mixed = await guard.filter(await letIn(guard, { authorization_details: details }), 'thing.read', things(4));
    expect(mixed.ok && mixed.permitted.map(idOf)).toEqual(['0']);
    expect(seen.splice(0)).toEqual([
      [
        ['0', '1', '2', '3'],
        ['write', 'read'],
        ['a', 'b'],
      ],
      [['0', '1', '2'], ['write'], ['a']],
      [['1', '2'], ['read'], ['b']],
    ]);
    const whole = [right('write', 'b'), right('read', 'b')];
    const one = await guard.filter(await letIn(guard, { authorization_details: whole }), 'thing.read', things(4));
    expect(one.ok && one.permitted.map(idOf)).toEqual(['0', '1', '2']);
    expect(seen).toHaveLength(2);
  });

  it('is refused whole once the engine is down for one of several details', async () => {
    let asked = 0;
    const decideMany: PolicyEngine['decideMany'] = async (_question, resources) => {
      asked += 1;
      if (asked > 1) throw new Error('down');
      return resources.map(() => allow);
    };
    const { guard } = await guarded({ policy: { ...engine(() => allow), decideMany } });
    const details = [
      { type: 'Thing', privileges: ['a'] },
      { type: 'Thing', privileges: ['b'] },
    ];
    const caller = await letIn(guard, { authorization_details: details });
    expect(await guard.filter(caller, 'thing.read', things(3))).toMatchObject({
      ok: false,
      refusal: { code: 'policy_unavailable' },
    });
    expect(asked).toBe(2);
  });

  it('asks no more about other groups of a list once the engine is down for one [J3]', async () => {
    const decide = vi.fn(() => Promise.reject(new Error('down')));
    const { guard } = await guarded({ policy: engine(decide) });
    const caller = await letIn(guard, { authorization_details: [detail('1', 'a'), detail('2', 'b')] });
    expect(await guard.filter(caller, 'thing.read', things(3))).toMatchObject({
      ok: false,
      refusal: { code: 'policy_unavailable' },
    });
    expect(decide).toHaveBeenCalledTimes(1);
  });
});
