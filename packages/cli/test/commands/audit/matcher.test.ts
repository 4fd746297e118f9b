import { describe, expect, it } from 'vitest';
import { Matcher } from '../../../src/commands/audit/matcher.js';
import { RecentMap } from '../../../src/commands/audit/recent-map.js';
import { textAt } from '../../../src/commands/audit/unknown-record.js';

const decision = (sequence: number, request: string, action: string) => ({
  sequence,
  phase: 'decision',
  decision: 'allow',
  action,
  request: { id: request },
});
const outcome = (request: string) => ({ phase: 'outcome', outcome: { result: 'finished' }, request: { id: request } });

describe('Matcher', () => {
  it('matches an outcome once with every decision of its request', () => {
    const matcher = new Matcher(({ action }) => action === 'pr.create');
    expect(matcher.match(decision(1, 'a', 'http.post'))).toBeUndefined();
    expect(matcher.match(decision(2, 'a', 'pr.create'))).toMatchObject({ sequence: 2 });
    expect(matcher.match(decision(3, 'a', 'pr.merge'))).toBeUndefined();
    expect(matcher.match(decision(4, 'b', 'pr.create'))).toBeDefined();
    expect(matcher.open()).toEqual({ records: ['2', '4'], more: false });
    expect(matcher.match(outcome('a'))).toMatchObject({ phase: 'outcome', action: 'pr.create' });
    expect(matcher.match(outcome('a'))).toBeUndefined();
    expect(matcher.match(outcome('unknown'))).toBeUndefined();
    expect(matcher.open()).toEqual({ records: ['4'], more: false });
  });

  it('matches an outcome only with the decisions of its own call', () => {
    const matcher = new Matcher(() => true);
    matcher.match({ ...decision(1, 'a', 'refund'), call: { id: 'c1' } });
    matcher.match({ ...decision(2, 'a', 'read'), call: { id: 'c2' } });
    matcher.match(decision(3, 'a', 'http.post'));
    expect(matcher.match({ ...outcome('a'), call: { id: 'c2' } })).toMatchObject({ action: 'read' });
    expect(matcher.open()).toEqual({ records: ['1', '3'], more: false });
    expect(matcher.match(outcome('a'))).toMatchObject({ action: 'http.post' });
    expect(matcher.open()).toEqual({ records: ['1'], more: false });
  });

  it('matches an outcome with each of a thousand decisions of its request', () => {
    for (const wanted of [0, 500, 999]) {
      const matcher = new Matcher(({ action }) => action === `delete.${wanted}`);
      for (let at = 0; at < 1000; at += 1) matcher.match(decision(at, 'a', `delete.${at}`));
      expect(matcher.open()).toEqual({ records: [String(wanted)], more: false });
      expect(matcher.match(outcome('a'))).toMatchObject({ phase: 'outcome', action: `delete.${wanted}` });
      expect(matcher.open()).toEqual({ records: [], more: false });
    }
  });

  it('keeps a bounded number of decisions, and reports dropped ones', () => {
    const matcher = new Matcher(() => true);
    for (let at = 1; at <= 99_999; at += 1) matcher.match(decision(at, at % 2 === 0 ? 'a' : `r${at}`, 'pr.create'));
    expect(matcher.open().more).toBe(false);
    expect(matcher.open().records).toHaveLength(99_999);
    matcher.match(decision(100_000, 'b', 'pr.create'));
    expect(matcher.open().more).toBe(true);
    expect(matcher.open().records).toHaveLength(50_000);
    expect(matcher.open().records).toContain('100000');
  });

  it('accepts a record of any shape', () => {
    const matcher = new Matcher((record) => textAt(record, 'actor', 'id') === 'x');
    for (const phase of ['decision', 'outcome', 7, null]) {
      for (const request of [undefined, null, 7, { id: null }]) {
        expect(matcher.match({ phase, decision: 'allow', request, actor: [] })).toBeUndefined();
      }
    }
  });
});

it('RecentMap keeps the latest entries, and counts the dropped ones', () => {
  let forgotten = 0;
  const map = new RecentMap<number>(3, (count) => void (forgotten += count));
  for (let at = 0; at < 100; at += 1) {
    map.set(String(at), at);
    for (let back = 0; back < Math.min(3, at + 1); back += 1) expect(map.get(String(at - back))).toBe(at - back);
    expect(map.size).toBeLessThanOrEqual(6);
    expect(map.size + forgotten).toBe(at + 1);
    expect([...map.values()]).toEqual([...map.values()].toSorted((a, b) => a - b));
  }
  map.set('99', 7);
  map.delete('98');
  expect([map.get('99'), map.has('98'), map.has('97')]).toEqual([7, false, true]);
});
