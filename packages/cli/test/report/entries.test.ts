import { expect, it } from 'vitest';
import { recordFacts } from '../../src/commands/audit/record-facts.js';
import { entriesOf, Latest } from '../../src/report/entries.js';

const request = { id: 'request-1' };
const allowed = { phase: 'decision', decision: 'allow', request };
const ended = { phase: 'outcome', outcome: { result: 'finished', status: 201 }, request };

it('puts an outcome to the latest decision of its request, once; the latest first', () => {
  const records = [allowed, allowed, ended, ended, { ...allowed, request: { id: 'request-2' } }, { phase: 'outcome' }];
  const entries = entriesOf(records.map((record, at) => recordFacts(at + 1, record)));
  expect(entries.map(({ record, verdict, ended, endedBy }) => [record.sequence, verdict, ended, endedBy])).toEqual([
    [6, 'ended', '?', undefined],
    [5, 'allowed', undefined, undefined],
    [4, 'ended', 'finished 201', undefined],
    [2, 'allowed', 'finished 201', 3],
    [1, 'allowed', undefined, undefined],
  ]);
});

it('keeps the latest records, however many there were', () => {
  for (const count of [0, 1, 2, 3, 5, 6, 7, 100]) {
    const latest = new Latest(3);
    const all = Array.from({ length: count }, (_, at) => recordFacts(at + 1, allowed));
    for (const record of all) latest.take(record);
    expect(latest.list()).toEqual(all.slice(-3));
  }
});
