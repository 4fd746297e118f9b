import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeUnprintable } from '@countersign/common';
import type { AuditEvent } from '../../src/record/event.js';
import { maxLineBytes } from '../../src/record/plain-json.js';
import { boundRecorded, renderEvent, sealRecord } from '../../src/record/record.js';
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

describe('a record that is too long', () => {
  it('keeps who did what at an authority in a line, whatever an identity provider says of them [F3]', () => {
    const many = Array.from({ length: 1000 }, (_, index) => `group-${index}-${'x'.repeat(60)}`);
    const by = { id: 'user_1', type: 'user', groups: many, amr: many } as const;
    const line = renderEvent({ ...event('a'), phase: 'authority', event: { name: 'approval.denied', by } });
    expect(Buffer.byteLength(line)).toBeLessThan(16_384);
    expect(JSON.parse(line)).toMatchObject({ event: { name: 'approval.denied', by: { id: 'user_1', type: 'user' } } });
  });

  it('keeps the chain without its scopes', () => {
    const scopes = Array.from({ length: 100 }, (_, index) => `${'a'.repeat(40)}:${index}`);
    const chain = Array.from({ length: 17 }, (_, index) => hop(index, scopes));
    const record = parse(sealRecord(1, renderEvent(event('id', { chain }))));
    expect(record['chain']).toEqual(chain.map((one) => ({ ...one, scope: [] })));
    expect(record['oversize']).toMatchObject({ bytes: expect.any(Number) as number });
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

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

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
    const { scope: _, ...kept } = long;
    expect(record).toEqual({
      ...kept,
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
