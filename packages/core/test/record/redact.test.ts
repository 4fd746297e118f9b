import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AuditEvent, auditRecordSchema } from '@countersign/audit';
import { auditPseudonym } from '../../src/record/pseudonym.js';
import { readRedactOptions } from '../../src/record/redact-options.js';
import { createRedactor } from '../../src/record/redact.js';
import type { RedactOptions } from '../../src/record/redact-options.js';
import { ConfigError } from '@countersign/common';
import { event } from '../../../audit/test/events.js';

const pseudonymKey = 'k'.repeat(32);
const everything: RedactOptions = {
  userIds: 'pseudonym',
  resourceIds: 'pseudonym',
  remoteAddresses: 'pseudonym',
  keepPathSegments: 1,
  pseudonymKey,
};

const delegated = event('a', {
  detail: 'user_123 may not read acme/api',
  chain: [
    { id: 'user_123', type: 'user', proof: 'issuer', scope: ['repo:read'], delegationId: 'd-1' },
    { id: 'agent-code-reviewer-01', type: 'agent', proof: 'signature', scope: ['repo:read'] },
  ],
});

/** Where something was hidden, by hand. */
const hidden = (subject: string, resource: string, remoteAddress: string, path: string): AuditEvent => {
  const { detail: _, ...kept } = delegated;
  return {
    ...kept,
    subject: { id: subject, type: 'user', issuer: 'https://id.acme.dev' },
    chain: [{ ...delegated.chain![0]!, id: subject }, delegated.chain![1]!],
    resource: { type: 'Repo', id: resource },
    request: { ...delegated.request, path, remoteAddress },
  };
};

describe('redaction', () => {
  it('changes nothing without rules', () => {
    expect(createRedactor(undefined)(delegated)).toBe(delegated);
  });

  it('omits the configured fields, and the explanation, which may quote them [F2]', () => {
    const redact = createRedactor(
      readRedactOptions({
        userIds: 'omit',
        resourceIds: 'omit',
        remoteAddresses: 'omit',
        keepPathSegments: 2,
      }),
    );
    expect(redact(delegated)).toEqual(hidden('[omitted]', '[omitted]', '[omitted]', '/repos/acme/…'));
  });

  it('cuts a resource that is a path like the path [F2]', () => {
    const resource = { type: 'Path', id: '/patients/jane' };
    const listed = { ...delegated, resource, filtered: { asked: 1, permitted: 1, resources: [resource] } };
    const cut = { type: 'Path', id: '/patients/…' };
    const redacted = createRedactor(readRedactOptions({ keepPathSegments: 1 }))(listed);
    expect(redacted).toMatchObject({ resource: cut, filtered: { resources: [cut] } });
    const kept = createRedactor(readRedactOptions({ userIds: 'omit' }))(listed);
    expect(kept).toMatchObject({ resource, filtered: { resources: [resource] } });
  });

  it('gives equal values equal pseudonyms, so that records stay joinable [F2]', () => {
    expect(createRedactor(readRedactOptions(everything))(delegated)).toEqual(
      hidden(
        auditPseudonym(pseudonymKey, { user: 'user_123' }),
        auditPseudonym(pseudonymKey, { resource: { type: 'Repo', id: 'acme/api' } }),
        auditPseudonym(pseudonymKey, { remoteAddress: '127.0.0.1' }),
        '/repos/…',
      ),
    );
  });

  it('keys pseudonyms, and separates them by kind', () => {
    const of = { user: 'user_123' };
    const mine = auditPseudonym(pseudonymKey, of);
    expect(mine).toMatch(/^pseudonym:[\w-]{22}$/);
    expect(auditPseudonym(Buffer.from(pseudonymKey), of)).toBe(mine);
    const others = [
      auditPseudonym('K'.repeat(32), of),
      auditPseudonym(pseudonymKey, { user: 'user_124' }),
      auditPseudonym(pseudonymKey, { remoteAddress: 'user_123' }),
      auditPseudonym(pseudonymKey, { resource: { type: 'user', id: 'user_123' } }),
      auditPseudonym(pseudonymKey, { resource: { type: 'user_', id: '123' } }),
      auditPseudonym(pseudonymKey, { resource: { type: 'Repo', id: '123' } }),
    ];
    expect(new Set([mine, ...others]).size).toBe(7);
    expect(() => auditPseudonym('short', of)).toThrow(ConfigError);
  });

  it('copies its key, so that wiping the original has no effect', () => {
    const key = Buffer.from(pseudonymKey);
    const redact = createRedactor(readRedactOptions({ userIds: 'pseudonym', pseudonymKey: key }));
    const before = redact(delegated).subject;
    key.fill(0);
    expect(redact(delegated).subject).toEqual(before);
  });

  it('keeps the names of agents, as actor and as subject', () => {
    const own = event('b', { subject: { id: 'agent-1', type: 'agent' } });
    expect(createRedactor(readRedactOptions({ userIds: 'omit' }))(own)).toMatchObject({
      actor: own.actor,
      subject: own.subject,
    });
  });

  it.each([
    ['/', 0, '/…'],
    ['/', 1, '/'],
    ['/a', 1, '/a'],
    ['/a/b', 1, '/a/…'],
    ['/a/', 1, '/a/…'],
    ['//secret', 1, '//…'],
    ['/a%2Fb/c', 1, '/a%2Fb/…'],
    ['*', 5, '[omitted]'],
    ['secret.example:443', 5, '[omitted]'],
  ])('of the path %s %i segments are %s [F2]', (path, keepPathSegments, shown) => {
    const { request } = createRedactor(readRedactOptions({ keepPathSegments }))(
      event('a', { request: { ...delegated.request, path } }),
    );
    expect(request.path).toBe(shown);
  });

  it('hides approvers with users, and what they wrote, and the binding of a request [F2]', () => {
    const approver = { id: 'user_42', groups: ['release-managers'], decidedAt: 1, amr: ['pwd'] };
    const approval = {
      binding: 'b'.repeat(43),
      id: 'approval-1',
      approvers: [{ ...approver, reason: 'for user_123' }],
    };
    const record = event('a', { approval });
    expect(createRedactor(readRedactOptions({ userIds: 'omit' }))(record).approval).toEqual({
      binding: '[omitted]',
      id: 'approval-1',
      approvers: [{ ...approver, id: '[omitted]' }],
    });
    const pseudonymous = createRedactor(readRedactOptions({ resourceIds: 'pseudonym', pseudonymKey }))(record).approval;
    expect(pseudonymous).toMatchObject({ id: 'approval-1', approvers: [approver] });
    expect(createRedactor(readRedactOptions({ keepPathSegments: 1 }))(record).approval?.binding).toBe('[omitted]');
    // Equal requests stay joinable.
    expect(pseudonymous?.binding).not.toContain('bbb');
    const again = createRedactor(readRedactOptions({ resourceIds: 'pseudonym', pseudonymKey }))(record).approval;
    expect(again?.binding).toBe(pseudonymous?.binding);
    const { binding } = createRedactor(readRedactOptions({ remoteAddresses: 'omit' }))(record).approval ?? {};
    expect(binding).toBe(approval.binding);
  });

  it('leaves no hidden value in the record of a sink [F2]', () => {
    const secret = fc.stringMatching(/^[a-z]{12}$/);
    const redact = createRedactor(readRedactOptions(everything));
    fc.assert(
      fc.property(secret, secret, secret, secret, (user, resource, address, segment) => {
        const text = JSON.stringify(
          redact(
            event('a', {
              detail: `${user} ${resource} ${address} ${segment}`,
              subject: { id: user, type: 'user' },
              chain: [{ id: user, type: 'user', proof: 'issuer', scope: [] }],
              resource: { type: 'Repo', id: resource },
              filtered: { asked: 2, permitted: 1, resources: [{ type: 'Repo', id: resource }] },
              request: { id: 'r', method: 'GET', path: `/repos/${segment}`, remoteAddress: address },
            }),
          ),
        );
        for (const hiddenText of [user, resource, address, segment]) expect(text).not.toContain(hiddenText);
      }),
      { numRuns: 50 },
    );
  });

  it('redacts every field of a record or lists it as harmless', () => {
    const redacted = ['detail', 'subject', 'chain', 'resource', 'filtered', 'approval', 'request', 'call'];
    // Agents, codes, names of policies and scopes; numbers; what the log adds.
    const harmless = ['id', 'time', 'phase', 'decision', 'code', 'actor', 'scope', 'action', 'policies', 'policySet'];
    // `event` is of an authority, whose log is not redacted.
    const rest = ['possession', 'claimed', 'event', 'outcome', 'sequence', 'version', 'prev', 'oversize'];
    const fields = Object.keys(auditRecordSchema.oneOf[0].properties);
    expect(fields.toSorted()).toEqual([...redacted, ...harmless, ...rest].toSorted());
  });
});

describe('rules of redaction [G5]', () => {
  it.each<[unknown, string]>([
    [{}, 'hides nothing'],
    [{ pseudonymKey }, 'hides nothing'],
    [null, 'must be an object'],
    [{ userIds: 'hash' }, "'userIds' must be 'pseudonym' or 'omit'"],
    [{ userIds: 'pseudonym' }, "'pseudonymKey' is needed"],
    [{ userIds: 'omit', pseudonymKey }, "'pseudonymKey' is needed with 'pseudonym', and only then"],
    [{ userIds: 'pseudonym', pseudonymKey: 'short' }, 'at least 32 bytes'],
    [{ userIds: 'pseudonym', pseudonymKey: 32 }, 'at least 32 bytes'],
    [{ keepPathSegments: -1 }, 'keepPathSegments'],
    [{ keepPathSegments: '1' }, 'keepPathSegments'],
    [{ userId: 'omit' }, "Did you mean 'userIds'"],
  ])('%j', (options, message) => {
    expect(() => readRedactOptions(options as RedactOptions)).toThrow(ConfigError);
    expect(() => readRedactOptions(options as RedactOptions)).toThrow(message);
  });
});
