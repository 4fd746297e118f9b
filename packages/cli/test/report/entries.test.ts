import { expect, it } from 'vitest';
import { recordFacts } from '../../src/commands/audit/record-facts.js';
import { entriesOf } from '../../src/report/entries.js';
import { OpenRequests } from '../../src/report/open-requests.js';

const request = { id: 'request-1' };
const allowed = { phase: 'decision', decision: 'allow', request };
const ended = { phase: 'outcome', outcome: { result: 'finished', status: 201 }, request };

it('entries join an outcome once with the latest decision of its request, the latest first', () => {
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

it('entries and open requests keep the calls of one request apart', () => {
  const records = [
    { ...allowed, call: { id: 'refund' } },
    { ...allowed, call: { id: 'read' } },
    { ...ended, call: { id: 'read' }, outcome: { result: 'threw' } },
  ].map((record, at) => recordFacts(at + 1, record));
  expect(entriesOf(records).map(({ record, ended, open }) => [record.callId, ended, open])).toEqual([
    ['read', 'threw', undefined],
    ['refund', undefined, true],
  ]);
  const requests = new OpenRequests();
  for (const record of records) requests.take(record);
  expect(requests.count).toBe(1);
  expect([requests.has('call refund'), requests.has('call read'), requests.has('request-1')]).toEqual([
    true,
    false,
    false,
  ]);
});

const of = (id: string, record: object) => ({ ...record, request: { id } });

it('open requests are those with an allow and no outcome, with or without other decisions', () => {
  const denied = { phase: 'decision', decision: 'deny' };
  const records = [
    of('ended', allowed),
    of('ended', allowed),
    of('ended', denied),
    of('crashed', allowed),
    of('crashed', denied),
    of('denied', denied),
    of('ended', ended),
    of('unknown', ended),
    { ...allowed, request: {} },
  ].map((record, at) => recordFacts(at + 1, record));
  const open = entriesOf(records).filter((entry) => entry.open);
  expect(open.map(({ record }) => record.sequence)).toEqual([9, 4]);
  const requests = new OpenRequests();
  for (const record of records) requests.take(record);
  expect(requests.count).toBe(2);
});

it('open requests are only counted when there are too many to keep', () => {
  const requests = new OpenRequests();
  for (let at = 1; at <= 100_003; at += 1) requests.take(recordFacts(at, { ...allowed, request: { id: `${at}` } }));
  requests.take(recordFacts(100_004, { ...ended, request: { id: '100003' } }));
  expect(requests.count).toBe(100_002);
});
