import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/record/event.js';
import type { AuditRecord } from '../../src/record/record.js';
import { toOcsf } from '../../src/sinks/to-ocsf.js';
import { auditRecordSchema } from '../../src/record/record-schema.js';
import { event } from '../events.js';

const { time, request } = event('x');
const refused: AuditEvent = {
  id: 'refused',
  time,
  phase: 'authentication',
  decision: 'deny',
  code: 'signature_invalid',
  claimed: { keyId: 'thumbprint', agent: 'agent-1' },
  request: { id: 'r', method: 'PURGE', path: '/' },
};
const ended: AuditEvent = {
  id: 'ended',
  time,
  phase: 'outcome',
  request,
  outcome: { result: 'finished', status: 201 },
};
const all = { allowed: event('a'), refused, ended };

const oneOf = (object: object, names: readonly string[]) => names.some((name) => name in object);

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

/** A value with every member of a schema; `visit` may change the simple ones. */
function valueOf(schema: Schema, visit: (name: string, value: unknown) => unknown, name = ''): unknown {
  const { properties, items, type, enum: values = [], const: only = values[0] } = schema;
  if (properties !== undefined) {
    return Object.fromEntries(
      Object.entries(properties).map(([key, member]) => [key, valueOf(member, visit, `${name}.${key}`)]),
    );
  }
  if (items !== undefined) return [valueOf(items, visit, name)];
  return visit(name, only ?? (type === 'string' ? '2026-11-24' : 1));
}

const recordOf = (visit: (name: string, value: unknown) => unknown) =>
  valueOf(auditRecordSchema.oneOf[0], visit) as AuditRecord;
const names: string[] = [];
const whole = recordOf((name, value) => {
  names.push(name);
  return value;
});

const other = (value: unknown): unknown => (typeof value === 'number' ? value + 1 : `1${String(value)}`);

describe('toOcsf', () => {
  it.each(names)('makes another event when %s is another one', (name) => {
    const changed = recordOf((at, value) => (at === name ? other(value) : value));
    expect(changed).not.toEqual(whole);
    expect(JSON.stringify(toOcsf(changed))).not.toBe(JSON.stringify(toOcsf(whole)));
  });

  it('keeps an approval, that it was an emergency, and the origin', () => {
    const approval = {
      binding: 'b',
      id: 'approval-1',
      issuer: 'https://id.acme.dev',
      approvers: [{ id: 'acme:sam', groups: ['sre'], decidedAt: 1, reason: 'emergency' }],
      breakGlass: true as const,
    };
    const ocsf = toOcsf(event('a', { approval, request: { ...request, authority: 'admin.acme.dev' } }));
    expect(ocsf.unmapped).toMatchObject({ approval, request: { authority: 'admin.acme.dev' } });
  });

  it('says observed, of a request that a guard would have refused', () => {
    const ocsf = toOcsf({ ...refused, decision: 'would_refuse' });
    expect(ocsf).toMatchObject({ action_id: 3, disposition_id: 17, severity_id: 2, status_code: 'signature_invalid' });
    expect(ocsf).not.toHaveProperty('status_id');
  });

  // What OCSF 1.9.0 requires of API Activity, of its base and of the objects in it, read off the schema by hand.
  it.each(Object.entries(all))('%s has every attribute that API Activity requires', (_title, record) => {
    const ocsf = toOcsf(record);
    expect(ocsf).toMatchObject({
      class_uid: 6003,
      category_uid: 6,
      activity_id: expect.any(Number),
      type_uid: 600300 + ocsf.activity_id,
      time: Date.parse('2026-11-24T12:00:00.000Z'),
      severity_id: expect.any(Number),
      metadata: {
        version: '1.9.0',
        product: { name: expect.any(String), vendor_name: expect.any(String) },
        uid: record.id,
        correlation_uid: record.request.id,
      },
      api: { operation: expect.any(String), request: { uid: record.request.id } },
      http_request: { url: { path: record.request.path } },
    });
    expect(oneOf(ocsf.actor, ['process', 'user', 'session', 'app_name', 'app_uid'])).toBe(true);
    expect(oneOf(ocsf.src_endpoint, ['ip', 'uid', 'name', 'hostname', 'svc_name'])).toBe(true);
    // 99, other, must say which.
    if (ocsf.activity_id === 99) expect(ocsf.activity_name).toBe(record.request.method);
    expect(JSON.parse(JSON.stringify(ocsf))).toEqual(ocsf);
  });

  it('names agent, user, policies, resource and delegations of a decision', () => {
    const delegated = event('a', {
      possession: 'dpop',
      policies: ['pulls.cedar#drafts'],
      policySet: 'ab12',
      chain: [
        { id: 'user_123', type: 'user', proof: 'issuer', scope: ['pr:write'] },
        {
          id: 'agent-a',
          type: 'agent',
          proof: 'issuer',
          issuer: 'https://id',
          scope: ['pr:write'],
          delegationId: 'd1',
        },
        { id: 'agent-b', type: 'agent', proof: 'signature', scope: ['pr:read'], delegationId: 'd2', expiresAt: 1000 },
      ],
    });
    expect(toOcsf({ ...delegated, sequence: 7, version: 1 })).toMatchObject({
      activity_id: 1,
      severity_id: 1,
      metadata: { sequence: 7 },
      actor: {
        app_uid: 'agent-code-reviewer-01',
        user: { uid: 'user_123', type_id: 1 },
        idp: { uid: 'https://id.acme.dev' },
        authorizations: [{ decision: 'allowed', policy: { uid: 'pulls.cedar#drafts', version: 'ab12' } }],
      },
      ai_agent: { uid: 'agent-code-reviewer-01' },
      delegation: { uid: 'd2', parent_uid: 'd1', scopes: ['pr:read'], expiration_time: 1_000_000 },
      api: { operation: 'pr.create' },
      src_endpoint: { ip: '127.0.0.1' },
      resources: [{ uid: 'acme/api', type: 'Repo' }],
      action_id: 1,
      disposition_id: 1,
      unmapped: { phase: 'decision', possession: 'dpop', chain: delegated.chain },
    });
    expect(toOcsf(delegated)).not.toHaveProperty('status_id');
  });

  it('names as the parent of a delegation what it was exchanged from', () => {
    const hop = { id: 'agent-b', type: 'agent', proof: 'issuer', scope: [] } as const;
    const chain = [{ ...hop, delegationId: 'd3', ancestors: [{ delegationId: 'd2' }, { delegationId: 'd1' }] }];
    expect(toOcsf(event('a', { chain }))).toMatchObject({ delegation: { uid: 'd3', parent_uid: 'd2' } });
  });

  it('names no user of whom only the agent spoke that asked an authority [F7]', () => {
    const by = { id: 'agent-a', type: 'agent' } as const;
    const subject = { type: 'user', id: 'acme:ceo', issuer: 'https://login.acme.dev' } as const;
    const asked = toOcsf(event('a', { phase: 'authority', subject, event: { name: 'approval.asked', by } }));
    expect(asked.actor).not.toHaveProperty('user');
    expect(asked.actor).not.toHaveProperty('idp');
    expect(asked.unmapped).toMatchObject({ subject });
    const consented = toOcsf(event('a', { phase: 'authority', subject, event: { name: 'consent.given', by } }));
    expect(consented.actor).toMatchObject({ user: { uid: 'acme:ceo' } });
  });

  it('gives the decision and outcome of a call an id of their own', () => {
    const record = event('a', { call: { id: 'call-1', method: 'tools/call' } });
    expect(toOcsf(record)).toMatchObject({
      metadata: { correlation_uid: 'call-1' },
      api: { request: { uid: record.request.id } },
    });
  });

  it('names the permitted resources of a filtered list', () => {
    const { resource: _, ...list } = event('a');
    const filtered = { asked: 3, permitted: 1, resources: [{ type: 'Repo', id: 'acme/api' }] };
    expect(toOcsf({ ...list, filtered })).toMatchObject({
      resources: [{ uid: 'acme/api', type: 'Repo' }],
      unmapped: { filtered },
    });
    expect(toOcsf(list)).not.toHaveProperty('resources');
  });

  it('does not make a claim the actor [F7]', () => {
    const ocsf = toOcsf(refused);
    expect(ocsf).toMatchObject({
      activity_id: 99,
      severity_id: 2,
      status_id: 2,
      status_code: 'signature_invalid',
      actor: { app_name: 'unverified' },
      src_endpoint: { name: 'unknown' },
      action_id: 2,
      unmapped: { claimed: { agent: 'agent-1' } },
    });
    expect(ocsf).not.toHaveProperty('ai_agent');
  });

  it('maps the outcome to a status', () => {
    expect(toOcsf(ended)).toMatchObject({
      status_id: 1,
      http_response: { code: 201 },
      api: { response: { code: 201 } },
    });
    expect(toOcsf(ended)).not.toHaveProperty('action_id');
    const failed = (outcome: AuditEvent['outcome']) => toOcsf({ ...ended, ...(outcome && { outcome }) });
    expect(failed({ result: 'finished', status: 404 }).status_id).toBe(2);
    expect(failed({ result: 'aborted' })).toMatchObject({ status_id: 2 });
    expect(failed({ result: 'aborted' })).not.toHaveProperty('http_response');
    expect(failed({ result: 'finished', status: 200, code: 'digest_mismatch' })).toMatchObject({
      status_id: 2,
      status_code: 'digest_mismatch',
    });
  });

  it('gives a pseudonym of an address as a name, not as an ip', () => {
    const hidden = event('a', { request: { ...request, remoteAddress: 'pseudonym:abc' } });
    expect(toOcsf(hidden).src_endpoint).toEqual({ name: 'pseudonym:abc' });
  });

  it.each([
    ['GET', 2],
    ['POST', 1],
    ['PATCH', 3],
    ['DELETE', 4],
    ['__proto__', 99],
    ['constructor', 99],
  ])('maps %s to activity %i', (method, activity) => {
    expect(toOcsf(event('a', { request: { ...request, method } })).activity_id).toBe(activity);
  });
});
