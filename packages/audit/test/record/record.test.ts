import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundRecorded, escapeUnprintable } from '@countersign/common';
import type { AuditEvent } from '../../src/record/event.js';
import { maxLineBytes, maxStringUnits } from '../../src/record/plain-json.js';
import { renderEvent, sealRecord } from '../../src/record/record.js';
import { event } from '../events.js';

function parse(line: string): Record<string, unknown> {
  return JSON.parse(line) as Record<string, unknown>;
}

const hostile = [
  ['CR and LF', 'a\r\nb'],
  ['escape sequences', '\u001b[2J\u001b]0;owned\u0007'],
  ['NUL and DEL', '\u0000\u007f'],
  ['controls [C1]', '\u0085\u009b31m'],
  ['line and paragraph separators', '\u2028\u2029'],
  ['bidi overrides and isolates', '\u202e\u2066\u2069\u200f'],
  ['zero-width characters and a byte order mark', '\u200b\u200d\ufeff'],
  ['tag characters beyond the basic plane', '\u{e0041}\u{e007f}'],
] as const;

const anyString = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2000 }),
  fc.string({ unit: 'grapheme' }),
  fc.string({
    unit: fc.constantFrom('\n', '\u2028', '\u202e', '\ud800', '\udc00', '"', '\\', '\u{e0041}'),
    maxLength: 1500,
  }),
);
const anyHop = fc.record({
  id: anyString,
  type: fc.constant('agent' as const),
  proof: fc.constant('issuer' as const),
  scope: fc.array(anyString, { maxLength: 3 }),
});
const anyEvent: fc.Arbitrary<AuditEvent> = fc
  .record({
    id: anyString,
    detail: anyString,
    action: anyString,
    resource: fc.record({ type: anyString, id: anyString }),
    actor: fc.record({ id: anyString, keyId: anyString }),
    chain: fc.array(anyHop, { maxLength: 8 }),
    scope: fc.array(anyString, { maxLength: 40 }),
    request: fc.record({ id: anyString, method: anyString, path: anyString, remoteAddress: anyString }),
  })
  .map(({ id, ...rest }) => event(id, rest));

/** Mostly text that a record holds as it is, up to the length at which strings are cut. */
const ordinaryString = fc.oneof(
  { weight: 8, arbitrary: fc.stringMatching(/^[ !#-[\]-~]{0,40}$/) },
  { weight: 1, arbitrary: fc.integer({ min: 1020, max: 1028 }).map((length) => 'a'.repeat(length)) },
  { weight: 1, arbitrary: anyString },
);
const mostlyOrdinary: fc.Arbitrary<AuditEvent> = fc
  .record({ id: ordinaryString, scope: fc.array(ordinaryString, { maxLength: 3 }), path: ordinaryString })
  .map(({ id, scope, path }) => event(id, { scope, request: { id, method: 'GET', path } }));

const hop = (index: number, scope: readonly string[]) =>
  ({ id: `agent-${index}`, type: 'agent', proof: 'signature', keyId: 'k'.repeat(43), scope }) as const;

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** The mark in place of scopes. */
const digest = (scopes: readonly string[]): string => `…[+${scopes.length} ${sha256(scopes.join(' '))}]`;

/** The record of an event that is too long for a line, without its size. */
function shortened(full: Partial<AuditEvent>): object {
  const { oversize, ...record } = parse(renderEvent(event('a', full)));
  expect(oversize).toBeDefined();
  return record;
}

describe('a record that is too long', () => {
  it('keeps who did what at an authority in a line, whatever an identity provider says of them [F3]', () => {
    const many = Array.from({ length: 1000 }, (_, index) => `group-${index}-${'x'.repeat(60)}`);
    const by = { id: 'user_1', type: 'user', groups: many, amr: many } as const;
    const line = renderEvent({ ...event('a'), phase: 'authority', event: { name: 'approval.denied', by } });
    expect(Buffer.byteLength(line)).toBeLessThan(16_384);
    expect(JSON.parse(line)).toMatchObject({ event: { name: 'approval.denied', by: { id: 'user_1', type: 'user' } } });
  });

  it('keeps the chain with the number and the digest of its scopes', () => {
    const scopes = Array.from({ length: 100 }, (_, index) => `${'a'.repeat(40)}:${index}`);
    const chain = Array.from({ length: 17 }, (_, index) => hop(index, scopes));
    const record = parse(sealRecord(1, renderEvent(event('id', { chain }))));
    expect(record['chain']).toEqual(chain.map((one) => ({ ...one, scope: [digest(scopes)] })));
    expect(record['oversize']).toMatchObject({ bytes: expect.any(Number) as number });
  });

  it('loses the scopes of the hops first, then its own, then the detail', () => {
    const scope = Array.from({ length: 30 }, (_, index) => `file:read:${index}:${'x'.repeat(200)}`);
    const small = ['file:read'];
    const detail = 'y'.repeat(900);
    const policies = Array.from({ length: 12 }, (_, index) => `${index}${'p'.repeat(700)}`);
    const chain = (scopes: readonly string[]) => [hop(0, small), hop(1, scopes)];
    const digested = [hop(0, small), hop(1, [digest(scope)])];
    const both = { chain: chain(scope), scope, detail, policies: policies.slice(0, 4) };
    expect(shortened(both)).toEqual(event('a', { ...both, chain: digested }));
    const all = { ...both, policies };
    expect(shortened(all)).toEqual(event('a', { ...all, chain: digested, scope: [digest(scope)] }));
    const more = { ...all, policies: [...policies, ...policies.slice(0, 9)] };
    expect(shortened(more)).toEqual(
      event('a', { ...more, chain: digested, scope: [digest(scope)], detail: `…[+900 ${sha256(detail)}]` }),
    );
  });

  it('keeps resource, actor, subject, path and policies whole, whatever the scopes are [F3]', () => {
    const visible = fc.string({ unit: fc.constantFrom('a', '/', 'ß', '漢', '"', '🙂'), minLength: 1, maxLength: 128 });
    const anyText = fc.string({
      unit: fc.constantFrom('a', '\u202e', '"', '漢', '\n'),
      size: 'max',
      maxLength: maxStringUnits,
    });
    const scopes = fc.array(fc.integer({ min: 0, max: 250 }), { maxLength: 100, size: 'max' }).map((lengths) =>
      // Mostly as long as may be, so that most records are too long.
      lengths.map((length, index) => `${index}:${'x'.repeat(length)}`),
    );
    const named = fc.record({ id: visible, delegationId: visible, scope: scopes });
    let tooLong = 0;
    fc.assert(
      fc.property(
        fc.record({
          resource: fc.record({ type: fc.constant('Namespace::Document'), id: anyText }),
          actor: fc.record({ id: visible, keyId: fc.constant('k'.repeat(43)) }),
          subject: fc.record({
            id: visible,
            type: fc.constant('user' as const),
            issuer: fc.constant('https://id.acme.dev'),
          }),
          path: fc.integer({ min: 0, max: 1024 }).map((length) => `/${'p'.repeat(length)}`.slice(0, maxStringUnits)),
          policies: fc.array(visible, { maxLength: 5 }),
          chain: fc.array(named, { maxLength: 6 }),
          scope: scopes,
        }),
        ({ path, chain, ...rest }) => {
          const request = { id: 'r', method: 'GET', path };
          const hops = chain.map((one, index) => ({ ...hop(index, one.scope), ...one }));
          const whole = event('a', { ...rest, chain: hops, request });
          const line = sealRecord(1, renderEvent(whole), 'f'.repeat(64));
          expect(Buffer.byteLength(line)).toBeLessThanOrEqual(maxLineBytes);
          const record = parse(line);
          if (record['oversize'] !== undefined) tooLong += 1;
          const { resource, actor, subject, policies } = rest;
          expect(record).toMatchObject({ resource, actor, subject, policies, request });
          expect(record['chain']).toHaveLength(chain.length);
        },
      ),
      { numRuns: 200 },
    );
    expect(tooLong).toBeGreaterThan(50);
  });

  it('keeps all but the chain whole when the names in the chain are padded [F3]', () => {
    const scopes = Array.from({ length: 100 }, (_, index) => `s:${index}:${'x'.repeat(240)}`);
    const chain = Array.from({ length: 11 }, (_, index) => ({
      ...hop(index, scopes),
      id: `${index}${'漢'.repeat(250)}`,
      delegationId: `${index}${'字'.repeat(250)}`,
    }));
    const rest = { policies: ['files'], resource: { type: 'File', id: 'f'.repeat(1024) } };
    const { oversize, chain: kept, ...record } = parse(renderEvent(event('a', { ...rest, chain })));
    expect(record).toEqual(event('a', rest));
    expect(oversize).toBeDefined();
    expect(kept).toEqual(
      chain.map(({ id, delegationId, ...one }) => ({
        ...one,
        id: boundRecorded(id, 100),
        delegationId: boundRecorded(delegationId, 100),
        scope: [digest(scopes)],
      })),
    );
  });

  it('loses the chain only when its names are too long', () => {
    const long = '\u202e'.repeat(2000);
    const chain = Array.from({ length: 17 }, () => ({ ...hop(1, ['a']), id: long, issuer: long, delegationId: long }));
    const record = parse(sealRecord(1, renderEvent(event('id', { chain }))));
    expect(record).not.toHaveProperty('chain');
    expect(record).toHaveProperty('oversize');
  });
});

describe('a rendered event', () => {
  it.each(hostile)('escapes %s in every field [F1]', (_name, text) => {
    const hostileEvent = event(text, {
      actor: { id: text, keyId: text },
      action: text,
      detail: text,
      scope: [text],
      request: { id: text, method: text, path: text },
    });
    const line = sealRecord(1, renderEvent(hostileEvent));
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(parse(line)).toEqual({ sequence: 1, version: 1, ...hostileEvent });
  });

  it('is one bounded line that parses back, whatever the event holds [F1, F3]', () => {
    fc.assert(
      fc.property(anyEvent, fc.nat(), (anything, sequence) => {
        const line = sealRecord(sequence, renderEvent(anything), 'f'.repeat(64));
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(maxLineBytes);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
        const record = parse(line);
        expect(Object.keys(record)[0]).toBe('sequence');
        expect(line).toMatch(/"prev":"f{64}"\}$/);
        expect(record).toMatchObject({ sequence, phase: 'decision', decision: 'allow' });
        expect(Object.keys(record)).toEqual(
          expect.arrayContaining(['id', 'time', 'actor', 'action', 'resource', 'request']),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('is the same text whether or not its strings have to be cut or escaped [F1, F3]', () => {
    fc.assert(
      fc.property(mostlyOrdinary, (anything) => {
        const bounded = JSON.stringify(anything, (_name, value: unknown) =>
          typeof value === 'string' ? boundRecorded(value, 1024) : value,
        );
        expect(renderEvent(anything)).toBe(escapeUnprintable(bounded));
      }),
      { numRuns: 2000 },
    );
  });

  it('holds every field of an ordinary event', () => {
    const ordinary = event('1', {
      scope: ['pr:write:draft'],
      policies: ['pulls.cedar#allow'],
      detail: 'Grüße, 漢字 🙂',
    });
    expect(parse(sealRecord(7, renderEvent(ordinary)))).toEqual({ sequence: 7, version: 1, ...ordinary });
  });

  it('has the sequence of the log instead of one in the event', () => {
    const copied = { sequence: 99, version: 9, prev: 'x', ...event('1') };
    const line = sealRecord(7, renderEvent(copied));
    expect(line.match(/"sequence"/g)).toHaveLength(1);
    expect(parse(line)).toEqual({ sequence: 7, version: 1, ...event('1') });
  });
});

describe('a long event [F3]', () => {
  it('has its long fields cut, with the number of missing characters and the digest of the whole', () => {
    const detail = 'x'.repeat(100_000);
    const record = parse(renderEvent(event('1', { detail })));
    expect(record['detail']).toBe(`${'x'.repeat(1024)}…[+98976 ${sha256(detail)}]`);
    expect(record).not.toHaveProperty('oversize');
  });

  it('is never cut within a character', () => {
    const detail = `${'x'.repeat(1023)}🙂`;
    const record = parse(renderEvent(event('1', { detail })));
    expect(record['detail']).toBe(`${'x'.repeat(1023)}\ufffd…[+1 ${sha256(detail)}]`);
  });

  it('keeps actor, action and decision, and a digest of the whole', () => {
    const long = event('1', { scope: Array.from({ length: 5000 }, (_, index) => `scope:${index}`) });
    const line = renderEvent(long);
    const record = parse(line);
    expect(Buffer.byteLength(line)).toBeLessThan(2000);
    expect(record).toEqual({
      ...long,
      scope: [`…[+5000 ${sha256((long.scope ?? []).join(' '))}]`],
      oversize: { bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect((record['oversize'] as { bytes: number }).bytes).toBeGreaterThan(50_000);
  });

  it('keeps its chain without what its tokens were exchanged from', () => {
    const hop = { id: 'agent-a', type: 'agent', proof: 'issuer', delegationId: 'd-2' } as const;
    const ancestors = Array.from({ length: 20 }, () => ({
      delegationId: '\u202e'.repeat(256),
      issuer: 'x'.repeat(1024),
    }));
    const record = parse(renderEvent(event('1', { chain: [{ ...hop, scope: [], ancestors }] })));
    expect(record).toMatchObject({ chain: [{ ...hop, scope: [] }], oversize: {} });
    expect(JSON.stringify(record)).not.toContain('ancestors');
  });

  it('fits into a line even if every character needs an escape', () => {
    const bad = '\u202e'.repeat(5000);
    const line = sealRecord(
      Number.MAX_SAFE_INTEGER,
      renderEvent({
        id: bad,
        time: bad,
        phase: 'authentication',
        detail: bad,
        actor: { id: bad, keyId: bad },
        subject: { id: bad, type: 'user', issuer: bad },
        claimed: { keyId: bad },
        action: bad,
        resource: { type: bad, id: bad },
        policySet: bad,
        request: { id: bad, method: bad, path: bad, remoteAddress: bad },
        outcome: { result: 'finished', status: 200 },
      }),
    );
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(maxLineBytes);
    expect(parse(line)).toHaveProperty('oversize');
  });
});

it('an event of many megabytes loses fields, never its record [F3]', () => {
  const resources = Array.from({ length: 400_000 }, (_, index) => ({ type: 'Repo', id: `acme/${index}` }));
  const filtered = { asked: resources.length, permitted: resources.length, resources };
  expect(parse(renderEvent(event('a', { filtered })))).toMatchObject({ id: 'a', oversize: {} });
});
