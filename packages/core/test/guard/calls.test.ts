import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import type { ApprovalRequest, ApprovalRequirement } from '@countersign/approval';
import { auditRecordSchema, type AuditEvent, type AuditSink } from '@countersign/audit';
import { ConfigError } from '@countersign/common';
import type { PolicyDecision, PolicyQuery } from '@countersign/policy';
import type { Call } from '../../src/guard/calls.js';
import type { Caller } from '../../src/model/caller.js';
import type { Permission } from '../../src/model/permission.js';
import type { EntityProvider } from '../../src/stages/authorize/entity-provider.js';
import type { ApprovalQueue, QueueAnswer } from '../../src/stages/approve/approval-options.js';
import { auditPseudonym } from '../../src/record/pseudonym.js';
import { Deferred } from '../deferred.js';
import { allow, engine, guarded, keyId, letIn, permission, signedRequest } from '../guarded.js';

const deny = { ...allow, decision: 'deny' } as const;
const query = { method: 'tools/call', name: 'query', argumentsDigest: 'd'.repeat(43) };
const digested = { ...query, argumentsDigest: 'A'.repeat(43) };
const requirement: ApprovalRequirement = {
  quorums: [{ groups: ['managers'], count: 1 }],
  useWithinSeconds: 600,
  decideWithinSeconds: 600,
  reason: 'optional',
  excluded: [],
};
/** What a queue answers once people have approved. */
function approvedNow(binding: string): QueueAnswer {
  const now = Math.floor(Date.now() / 1000);
  const approvers = [{ id: 'user_42', groups: ['managers'], decidedAt: now, reason: 'ok' }];
  return { status: 'approved', id: 'queue-0001', binding, askedAt: now, issuedAt: now, expiresAt: now + 60, approvers };
}

/** Bills of up to 1,000 need approval, others are denied. */
const payBill = ({ resource: { attributes } }: PolicyQuery): PolicyDecision =>
  Number(attributes?.['amount']) > 1000 ? { ...allow, decision: 'deny' } : { ...allow, approval: requirement };
const things = ['1', '2'].map((id) => ({ type: 'Thing', id }));

function phases(records: readonly AuditEvent[]): string[] {
  return records.map(({ phase, decision, outcome }) => [phase, decision ?? outcome?.result].join(' '));
}

describe('A call within a request', () => {
  it('leaves its decision and its outcome, joined by its id, and the request none of its own', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    const calls = [guard.begin(caller, query), guard.begin(caller, { method: 'tools/call', name: 'draft' })];
    for (const call of calls) expect(await call.authorize(permission)).toMatchObject({ ok: true });
    await calls[1]?.end({ result: 'failed', code: 'tool_error' });
    await calls[0]?.end({ result: 'finished' });
    expect(await guard.complete(caller, { result: 'finished', status: 200 })).toBeUndefined();
    const [first, second] = calls.map((call) => audit.records.filter((record) => record.call?.id === call.id));
    expect(first).toMatchObject([
      { phase: 'decision', decision: 'allow', action: 'thing.read', call: query, actor: { id: 'agent-a', keyId } },
      { phase: 'outcome', outcome: { result: 'finished' }, call: query },
    ]);
    expect(second).toMatchObject([{ decision: 'allow' }, { outcome: { result: 'failed', code: 'tool_error' } }]);
    expect(audit.records).toHaveLength(4);
    expect(new Set(audit.records.map(({ request }) => request.id))).toEqual(new Set([caller.requestId]));
  });

  it('goes on after the response of its request has ended', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    const call = guard.begin(caller, query);
    await call.authorize(permission);
    await guard.complete(caller, { result: 'finished', status: 200 });
    expect(await guard.authorize(caller, permission)).toMatchObject({ ok: false });
    expect(await call.authorize(permission)).toMatchObject({ ok: true });
    expect(await call.filter('thing.read', things)).toMatchObject({ ok: true, permitted: things });
    await call.end({ result: 'finished' });
    expect(phases(audit.records)).toEqual(['decision allow', 'decision allow', 'decision allow', 'outcome finished']);
  });

  it('is bound to what its request rests on: a revocation ends it', async () => {
    const { guard } = await guarded();
    const caller = await letIn(guard);
    const call = guard.begin(caller, query);
    guard.revocations.revoke({ agent: 'agent-a' });
    expect(await call.authorize(permission)).toMatchObject({ ok: false, refusal: { code: 'agent_suspended' } });
  });

  it('has a caller that can be asked about without a decision, while its request is being served', async () => {
    const { guard, audit } = await guarded();
    const [caller, other] = [await letIn(guard), await letIn(guard)];
    expect(await guard.revalidate(caller)).toBeUndefined();
    await guard.complete(other, { result: 'finished', status: 200 });
    expect(await guard.revalidate(other)).toMatchObject({ code: 'not_authenticated' });
    guard.revocations.revoke({ agent: 'agent-a' });
    expect(await guard.revalidate(caller)).toMatchObject({ code: 'agent_suspended' });
    expect(phases(audit.records)).toEqual(['outcome finished']);
  });

  it('allows nothing after its end, also if it ends during the decision', async () => {
    const answer = new Deferred<typeof allow>();
    const { guard, audit } = await guarded({ policy: engine(() => answer.promise) });
    const caller = await letIn(guard);
    const call = guard.begin(caller, query);
    const asked = call.authorize(permission);
    const ended = call.end({ result: 'cancelled' });
    answer.resolve(allow);
    expect(await asked).toMatchObject({ ok: false, refusal: { code: 'not_authenticated' } });
    await ended;
    expect(await call.authorize(permission)).toMatchObject({ ok: false, refusal: { code: 'not_authenticated' } });
    await call.end({ result: 'finished' });
    expect(phases(audit.records)).toEqual(['decision allow', 'outcome cancelled']);
  });

  it('has no outcome if nothing was allowed, and may be refused without policy', async () => {
    const { guard, audit } = await guarded({ policy: engine(() => deny) });
    const caller = await letIn(guard);
    const [denied, refused] = [guard.begin(caller, query), guard.begin(caller, { method: 'x/unknown' })];
    expect(await denied.authorize(permission)).toMatchObject({ ok: false, refusal: { code: 'policy_denied' } });
    expect(await refused.refuse('route_unmapped', 'why')).toMatchObject({ code: 'route_unmapped' });
    await denied.end({ result: 'not_started' });
    await refused.end({ result: 'not_started' });
    expect(await guard.complete(caller, { result: 'finished', status: 200 })).toBeUndefined();
    expect(audit.records).toMatchObject([
      { decision: 'deny', code: 'policy_denied', call: query },
      { decision: 'deny', code: 'route_unmapped', call: { method: 'x/unknown' } },
    ]);
  });

  it('is approved with the request around it, whose body its arguments stand for [C11]', async () => {
    const asks: ApprovalRequest[] = [];
    const queue: ApprovalQueue = ({ request }) => (asks.push(request), { status: 'pending' });
    const policy = { ...engine(() => ({ ...allow, approval: requirement })), asksApproval: true };
    const { guard } = await guarded({ policy, approvals: { queue } });
    const caller = await letIn(guard);
    for (const description of [digested, { method: 'job', name: 'run' }]) {
      const answer = await guard.begin(caller, description).authorize(permission);
      expect(answer).toMatchObject({ ok: false, refusal: { code: 'approval_required' } });
    }
    expect(asks[0]).toMatchObject({ call: digested });
    for (const ask of asks) expect(ask).toMatchObject({ http: { method: 'GET', path: '/' } });
    expect(asks[1]).toMatchObject({ call: { method: 'job', name: 'run' } });
  });

  it('is decided by the policies of the moment after people have approved [C11]', async () => {
    let current: ReturnType<Parameters<typeof engine>[0]> = { ...allow, approval: requirement };
    const policy = { ...engine(() => current), asksApproval: true };
    const used: string[] = [];
    const uses = { use: ({ id }: { readonly id: string }) => (used.push(id), 'first' as const) };
    const changes = [
      [{ ...allow, decision: 'deny' as const, approval: undefined }, 'policy_denied'],
      [{ ...allow, approval: { ...requirement, reason: 'required' as const } }, 'approval_mismatch'],
      [{ ...allow, approval: requirement, policySet: 'newer' }, 'approval_mismatch'],
      [{ ...allow, approval: requirement, policies: ['others'] }, 'approval_mismatch'],
    ] as const;
    for (const [change, code] of changes) {
      const asked = { ...allow, approval: requirement };
      current = asked;
      const queue: ApprovalQueue = async ({ binding }) => {
        await Promise.resolve();
        current = change as unknown as typeof current;
        return approvedNow(binding);
      };
      const { guard } = await guarded({ policy, approvals: { queue, uses } });
      const answer = await guard.begin(await letIn(guard), digested).authorize(permission);
      expect(answer).toMatchObject({ ok: false, refusal: { code } });
    }
    expect(used).toEqual([]);
  });

  it.each<
    [
      string,
      (amount: () => number) => { readonly entities?: EntityProvider; readonly resource: Permission['resource'] },
    ]
  >([
    [
      'entities',
      (amount) => ({ entities: () => ({ attributes: { amount: amount() } }), resource: { type: 'Bill', id: '1' } }),
    ],
    ['the route', (amount) => ({ resource: () => ({ type: 'Bill', id: '1', attributes: { amount: amount() } }) })],
  ])('is decided by what %s says after people have approved [C11, D9]', async (_who, facts) => {
    let amount = 10;
    const { entities, resource } = facts(() => amount);
    const policy = { ...engine(payBill), asksApproval: true };
    const queue: ApprovalQueue = async ({ binding }) => {
      await Promise.resolve();
      amount = 5000;
      return approvedNow(binding);
    };
    const { guard } = await guarded({ policy, approvals: { queue }, ...(entities && { entities }) });
    const caller = await letIn(guard);
    expect(await guard.begin(caller, digested).authorize({ action: 'bill.pay', resource })).toMatchObject({
      ok: false,
      refusal: { code: 'policy_denied' },
    });
  });

  it('is judged by the clock of the moment after people have approved [C11]', async () => {
    let later = 0;
    const clock = (): number => Date.now() + later;
    const waited = (seconds: number, decidedAfter: number): ApprovalQueue => {
      return ({ binding }) => {
        const asked = Math.floor(clock() / 1000);
        later += seconds * 1000;
        const at = asked + decidedAfter;
        const approvers = [{ id: 'user_42', groups: ['managers'], decidedAt: at }];
        return {
          status: 'approved',
          id: `queue-${seconds}`,
          binding,
          askedAt: asked,
          issuedAt: at,
          expiresAt: at + 20,
          approvers,
        };
      };
    };
    const policy = { ...engine(() => ({ ...allow, approval: requirement })), asksApproval: true };
    const answers = [];
    for (const queue of [waited(30, 29), waited(60, 0)]) {
      const { guard } = await guarded({ policy, approvals: { queue }, clock });
      answers.push(await guard.begin(await letIn(guard), digested).authorize(permission));
      later = 0;
    }
    expect(answers).toMatchObject([{ ok: true }, { ok: false, refusal: { code: 'approval_expired' } }]);
  });

  it('is not approved without its arguments if nothing binds its request to its sender [C11]', async () => {
    const asks: unknown[] = [];
    const queue: ApprovalQueue = (asked) => (asks.push(asked), { status: 'pending' });
    const policy = { ...engine(() => ({ ...allow, approval: requirement })), asksApproval: true };
    const { guard } = await guarded({ policy, approvals: { queue }, bearer: true });
    const [, authorization = ''] = (await signedRequest({ act: undefined, client_id: 'agent-c' })).rawHeaders.slice(2);
    const rawHeaders = ['host', 'api.acme.dev', 'authorization', authorization];
    const answer = await guard.authenticate({ ...(await signedRequest()), rawHeaders });
    if (!answer.ok || answer.caller === undefined) throw new Error(JSON.stringify(answer));
    const { caller } = answer;
    const refused = await guard.begin(caller, { method: 'job' }).authorize(permission);
    expect(refused).toMatchObject({ ok: false, refusal: { code: 'approval_required' } });
    expect(asks).toEqual([]);
    await guard.begin(caller, digested).authorize(permission);
    expect(asks).toHaveLength(1);
  });

  it('that has ended is refused without a record, and its outcome follows a refusal under way', async () => {
    const { guard, audit } = await guarded();
    const call = guard.begin(await letIn(guard), query);
    await call.authorize(permission);
    const refused = call.refuse('policy_denied');
    await call.end({ result: 'cancelled' });
    expect(await refused).toMatchObject({ code: 'policy_denied' });
    expect(await call.refuse('policy_denied')).toMatchObject({ code: 'not_authenticated' });
    expect(phases(audit.records)).toEqual(['decision allow', 'decision deny', 'outcome cancelled']);
  });

  it('leaves the outcome of its request undecided until it is decided or refused, although it ends [D8]', async () => {
    const { guard, audit } = await guarded();
    for (const use of [
      async () => {},
      async (call: Call) => await call.wouldPermit(permission),
      async (call: Call) => await call.end({ result: 'finished' }),
    ]) {
      const caller = await letIn(guard);
      await use(guard.begin(caller, query));
      await guard.complete(caller, { result: 'finished', status: 200 });
    }
    const outcome = { result: 'finished', status: 200, undecided: true };
    expect(audit.records).toMatchObject([
      { phase: 'outcome', outcome },
      { phase: 'outcome', outcome },
      { phase: 'outcome', outcome },
    ]);
  });

  it.each([
    [undefined, 'method'],
    [null, 'method'],
    [{}, 'method'],
    [{ method: 5 }, 'method'],
    [{ method: 'x', name: ['y'] }, 'name'],
    [{ method: 'x', argumentsDigest: null }, 'argumentsDigest'],
    [{ method: 'x', traceparent: {} }, 'traceparent'],
  ])('described by %j is refused with a ConfigError', async (description, key) => {
    const { guard } = await guarded();
    for (const caller of [await letIn(guard), {} as Caller]) {
      const begin = () => guard.begin(caller, description as never);
      expect(begin).toThrow(ConfigError);
      expect(begin).toThrow(`guard.begin: '${key}' must be text`);
    }
  });

  it('asks for the wording of a refusal without a record', async () => {
    const { guard, audit } = await guarded({
      policy: engine(({ action }) => (action === 'thing.list' ? allow : deny)),
    });
    const call = guard.begin(await letIn(guard), query);
    expect(await call.wouldPermit({ ...permission, action: 'thing.list' })).toBe(true);
    expect(await call.wouldPermit(permission)).toBe(false);
    await call.end({ result: 'not_started' });
    expect(audit.records).toEqual([]);
  });

  it('beside a decision of the request itself leaves the request its outcome', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    await guard.authorize(caller, permission);
    const call = guard.begin(caller, query);
    await call.authorize(permission);
    await call.end({ result: 'timed_out' });
    await guard.complete(caller, { result: 'finished', status: 200 });
    expect(phases(audit.records)).toEqual([
      'decision allow',
      'decision allow',
      'outcome timed_out',
      'outcome finished',
    ]);
  });

  it('of a forged caller, or of a request that has ended, decides nothing [G1]', async () => {
    const { guard, audit } = await guarded();
    const caller = await letIn(guard);
    await guard.complete(caller, { result: 'finished', status: 200 });
    const before = audit.records.length;
    for (const one of [{ ...caller }, caller, undefined as unknown as Caller]) {
      const call = guard.begin(one, query);
      expect(await call.authorize(permission)).toMatchObject({ ok: false, refusal: { code: 'not_authenticated' } });
      expect(await call.filter('thing.read', things)).toMatchObject({ ok: false });
      expect(await call.wouldPermit(permission)).toBe(false);
      expect(await call.refuse('policy_denied')).toMatchObject({ code: 'not_authenticated' });
      await call.end({ result: 'finished' });
    }
    expect(audit.records).toHaveLength(before);
  });

  it('looks its resources up anew for each decision', async () => {
    const entities = vi.fn(() => ({ attributes: {} }));
    const { guard } = await guarded({ entities });
    const call = guard.begin(await letIn(guard), query);
    await call.authorize(permission);
    await call.authorize(permission);
    expect(entities).toHaveBeenCalledTimes(2);
  });

  it('has its outcome recorded before the guard is closed', async () => {
    const { guard, audit } = await guarded();
    const call = guard.begin(await letIn(guard), query);
    await call.authorize(permission);
    void call.end({ result: 'finished' });
    await guard.close();
    expect(phases(audit.records)).toEqual(['decision allow', 'outcome finished']);
  });

  it('has its outcome recorded before the guard is closed, also after a decision under way', async () => {
    const answer = new Deferred<typeof allow>();
    const written: string[] = [];
    const audit: AuditSink = {
      write: async ({ phase }) => void written.push(phase),
      close: async () => void written.push('closed'),
    };
    const { guard } = await guarded({ policy: engine(() => answer.promise), audit });
    const call = guard.begin(await letIn(guard), query);
    const asked = call.authorize(permission);
    void call.end({ result: 'cancelled' });
    const closed = guard.close();
    answer.resolve(allow);
    await Promise.all([asked, closed]);
    expect(written).toEqual(['decision', 'outcome', 'closed']);
  });

  it('is waited for by a guard that closes, also after its request, and is aborted if it takes longer [F5]', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { guard, audit } = await guarded();
    const [caller, other] = [await letIn(guard), await letIn(guard)];
    const [ending, staying, denied] = [caller, caller, other].map((by) => guard.begin(by, query));
    for (const call of [ending, staying]) await call?.authorize(permission);
    await denied?.refuse('policy_denied');
    for (const by of [caller, other]) await guard.complete(by, { result: 'aborted', status: 0 });
    let isClosed = false;
    const closing = guard.close().then(() => (isClosed = true));
    await ending?.end({ result: 'finished' });
    await vi.advanceTimersByTimeAsync(7_999);
    expect(isClosed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    vi.useRealTimers();
    await staying?.end({ result: 'finished' });
    expect(phases(audit.records).slice(-2)).toEqual(['outcome finished', 'outcome aborted']);
    expect(audit.records.at(-1)?.call?.id).toBe(staying?.id);
  });

  it('records nothing else of the object that describes it [F2]', async () => {
    const { guard, audit } = await guarded();
    const message = { id: 'of the client', jsonrpc: '2.0', method: 'tools/call', params: { password: 'secret' } };
    const call = guard.begin(await letIn(guard), message);
    await call.authorize(permission);
    await call.end({ result: 'finished' });
    expect(audit.records.map((record) => record.call)).toEqual([
      { id: call.id, method: 'tools/call' },
      { id: call.id, method: 'tools/call' },
    ]);
  });

  it.each(['request', 'call'])('does not hold the items of earlier lists: of a %s', async (unit) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { guard } = await guarded({ audit: { write: async () => {} } });
    const caller = await letIn(guard);
    const call = guard.begin(caller, query);
    async function listed(): Promise<WeakRef<object>> {
      const item = { type: 'Thing', id: '1' };
      const list = [item];
      const { ok } = unit === 'call' ? await call.filter('x', list) : await guard.filter(caller, 'x', list);
      expect(ok).toBe(true);
      return new WeakRef(item);
    }
    const earlier = await listed();
    await listed();
    await listed();
    await vi.waitFor(() => {
      collect();
      expect(earlier.deref() === undefined).toBe(true);
    }, 10_000);
    await call.end({ result: 'finished' });
  });

  it('has the digest of its arguments redacted like the ids of resources', async () => {
    const pseudonymKey = 'k'.repeat(32);
    const { guard, audit } = await guarded({ redact: { resourceIds: 'pseudonym', pseudonymKey } });
    const call = guard.begin(await letIn(guard), query);
    await call.authorize(permission);
    const resource = { type: 'Arguments', id: query.argumentsDigest };
    expect(audit.records[0]?.call).toEqual({
      ...query,
      id: call.id,
      argumentsDigest: auditPseudonym(pseudonymKey, { resource }),
    });
  });
});

describe('A local caller', () => {
  it('is recorded as such, without a request, a key or a proof', async () => {
    const { guard, audit } = await guarded();
    const caller = guard.local({ agent: 'agent-desktop', subject: 'user_123', scope: ['thing'], roles: ['reader'] });
    const call = guard.begin(caller, query);
    expect(await call.authorize(permission)).toMatchObject({ ok: true });
    await call.end({ result: 'finished' });
    expect(audit.records[0]).toMatchObject({
      actor: { id: 'agent-desktop' },
      subject: { id: 'user_123', type: 'user' },
      possession: 'local',
      chain: [
        { id: 'user_123', type: 'user', proof: 'local' },
        { id: 'agent-desktop', type: 'agent', proof: 'local' },
      ],
      scope: ['thing'],
      request: { id: caller.requestId },
      call: { id: call.id },
    });
    expect(Object.keys(audit.records[0]?.request ?? {})).toEqual(['id']);
    expect(auditRecordSchema.oneOf[0].properties.request.required).toEqual(['id']);
  });

  it('is to policy what the application states, and policy can tell', async () => {
    const asked: unknown[] = [];
    const { guard } = await guarded({ policy: engine((question) => (asked.push(question), allow)) });
    await guard.authorize(guard.local({ agent: 'agent-desktop' }), permission);
    expect(asked).toMatchObject([
      {
        principal: { id: 'agent-desktop', roles: [], capabilities: [] },
        context: { scope: [], depth: 0, proof: 'local', possession: 'local', request: { method: '', path: '' } },
      },
    ]);
  });

  it('serves any number of calls, until it is completed', async () => {
    const { guard } = await guarded();
    const caller = guard.local({ agent: 'agent-desktop' });
    for (let count = 0; count < 3; count++) {
      const call = guard.begin(caller, query);
      expect(await call.authorize(permission)).toMatchObject({ ok: true });
      await call.end({ result: 'finished' });
    }
    await guard.complete(caller, { result: 'finished' });
    expect(await guard.begin(caller, query).authorize(permission)).toMatchObject({ ok: false });
  });

  it('ends when its agent is revoked or suspended', async () => {
    const { guard } = await guarded();
    const caller = guard.local({ agent: 'agent-desktop', subject: 'user_123' });
    guard.revocations.revoke({ subject: 'user_123' });
    expect(await guard.authorize(caller, permission)).toMatchObject({ refusal: { code: 'delegation_revoked' } });

    let now = Date.now();
    let status: 'unknown' | 'suspended' = 'unknown';
    const agents = { findByThumbprint: () => ({ kind: 'unknown' }) as const, statusOf: () => status };
    const other = await guarded({ agents, clock: () => now });
    const suspended = other.guard.local({ agent: 'agent-desktop', subject: 'user_123' });
    expect(await other.guard.authorize(suspended, permission)).toMatchObject({ ok: true });
    status = 'suspended';
    now += 2000;
    expect(await other.guard.authorize(suspended, permission)).toMatchObject({ refusal: { code: 'agent_suspended' } });
  });

  it.each([
    [undefined, 'say who calls'],
    [{ agent: '' }, "'agent'"],
    [{ agent: 'a', subject: 'a' }, "'subject'"],
    [{ agent: 'a', roles: 'admin' }, "'roles'"],
    [{ agent: 'a', scope: ['\u0000'] }, "'scope'"],
    [{ agent: 'a', user: 'b' }, "unknown option 'user'"],
  ])('%j is a wrong configuration', async (identity, message) => {
    const { guard } = await guarded();
    expect(() => guard.local(identity as never)).toThrow(message);
  });
});
