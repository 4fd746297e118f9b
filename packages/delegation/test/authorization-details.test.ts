import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AuthorizationDetail,
  detailsCover,
  detailsNarrow,
  type DetailedRequest,
  readAuthorizationDetails,
} from '../src/authorization-details.js';
import { claimsWith, linkVerdict, linkWith, verdict } from './support.js';

const FULL: AuthorizationDetail = {
  type: 'Repo',
  actions: ['pr.create', 'pr.merge'],
  identifier: 'acme/api',
  locations: ['https://api.example'],
  datatypes: ['code'],
  privileges: ['write'],
  limit: { amount: 5, units: ['EUR'] },
};

/** The payload after JSON: without members that are undefined. */
const without = (detail: object): AuthorizationDetail => JSON.parse(JSON.stringify(detail)) as AuthorizationDetail;

const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

function deep(levels: number): unknown {
  return levels === 0 ? 'x' : [deep(levels - 1)];
}

describe('readAuthorizationDetails', () => {
  it('keeps each detail unchanged, unknown members included', () => {
    expect(claimsWith({ authorization_details: [FULL, { type: 'Dataset' }] }).authorizationDetails).toEqual([
      FULL,
      { type: 'Dataset' },
    ]);
    expect(linkWith({ authorization_details: [FULL] }).authorizationDetails).toEqual([FULL]);
  });

  it('returns a deeply frozen copy that does not change with the payload', () => {
    const payload = [{ type: 'Repo', actions: ['pr.create'], limit: { units: ['EUR'] } }];
    const read = readAuthorizationDetails(payload);
    if (!read.ok) throw new Error(read.code);
    payload[0]?.actions.push('pr.merge');
    const [detail] = read.details;
    expect(detail?.actions).toEqual(['pr.create']);
    const limit = detail?.['limit'] as { units: unknown };
    for (const part of [read.details, detail, detail?.actions, limit, limit.units]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it.each([
    ['an object', FULL],
    ['text', '[]'],
    ['null', null],
    ['a number', 7],
    ['an empty array', []],
    ['33 details', Array.from({ length: 33 }, () => ({ type: 'Repo' }))],
    ['text in the array', ['Repo']],
    ['null in the array', [null]],
    ['an array in the array', [[{ type: 'Repo' }]]],
    ['a detail without type', [{ actions: ['pr.create'] }]],
    ['a good detail and a bad one', [{ type: 'Repo' }, {}]],
    ['an empty type', [{ type: '' }]],
    ['a type that is no text', [{ type: ['Repo'] }]],
    ['actions that are text', [{ type: 'Repo', actions: 'pr.create' }]],
    ['no actions', [{ type: 'Repo', actions: [] }]],
    ['an action that is no text', [{ type: 'Repo', actions: [7] }]],
    ['a good action and one that is no text', [{ type: 'Repo', actions: ['pr.create', 7] }]],
    ['an invisible action', [{ type: 'Repo', actions: ['pr\u200b'] }]],
    ['101 actions', [{ type: 'Repo', actions: Array.from({ length: 101 }, (_, i) => `a${i}`) }]],
    ['null locations', [{ type: 'Repo', locations: null }]],
    ['datatypes that are an object', [{ type: 'Repo', datatypes: { 0: 'code' } }]],
    ['privileges that are no text', [{ type: 'Repo', privileges: [true] }]],
    ['identifiers that are several', [{ type: 'Repo', identifier: ['acme/api'] }]],
    ['an empty identifier', [{ type: 'Repo', identifier: '' }]],
    ['1001 values', [{ type: 'Repo', other: Array.from({ length: 998 }, () => ({})) }]],
    ['1001 values in several', Array.from({ length: 11 }, () => ({ type: 'Repo', other: Array(88).fill(7) }))],
    ['a deep member', [{ type: 'Repo', other: deep(8) }]],
    ['a very deep member', [{ type: 'Repo', other: deep(5000) }]],
  ])('refuses %s [C6]', (_, details) => {
    expect(verdict({ authorization_details: details })).toBe('authorization_details_malformed');
    expect(linkVerdict({ authorization_details: details })).toBe('authorization_details_malformed');
  });

  it('reads up to 32 details, 100 entries, 8 levels', () => {
    const actions = Array.from({ length: 100 }, (_, i) => `a${i}`);
    const details = Array.from({ length: 32 }, (_, i) => ({ type: 'Repo', ...(i < 2 && { actions }), other: deep(7) }));
    expect(verdict({ authorization_details: details })).toBe('ok');
  });

  it('reads up to 1000 values', () => {
    const details = [{ type: 'Repo', other: Array.from({ length: 997 }, () => ({})) }];
    expect(verdict({ authorization_details: details })).toBe('ok');
  });

  it('never throws', () => {
    const name = fc.constantFrom('type', 'actions', 'identifier', 'locations', '__proto__', 'constructor', 'other');
    const detail = fc.dictionary(name, fc.oneof(fc.constant('Repo'), fc.jsonValue()));
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.array(detail, { maxLength: 3 })), (value) => {
        expect(typeof readAuthorizationDetails(value).ok).toBe('boolean');
      }),
      { numRuns: 300 },
    );
  });
});

function actions(at: number): string[] {
  return [...Array.from({ length: 26 }, (_, entry) => `a${entry}`), `only-${at}`];
}

describe('detailsNarrow', () => {
  it.each<[string, object, object, boolean]>([
    ['the same', FULL, FULL, true],
    ['the same in another order of members', { limit: { units: ['EUR'], amount: 5 } }, {}, true],
    ['fewer actions', { actions: ['pr.create'] }, {}, true],
    ['another action', { actions: ['pr.create', 'pr.close'] }, {}, false],
    ['all actions', { actions: undefined }, {}, false],
    ['another resource', { identifier: 'acme/web' }, {}, false],
    ['all resources', { identifier: undefined }, {}, false],
    ['one resource of all', {}, { identifier: undefined }, true],
    ['some actions of all', {}, { actions: undefined }, true],
    ['another type', { type: 'Bucket' }, {}, false],
    ['another API', { locations: ['https://api.example', 'https://b.example'] }, {}, false],
    ['all APIs', { locations: undefined }, {}, false],
    ['more data types', { datatypes: ['code', 'secret'] }, {}, false],
    ['more privileges', { privileges: ['admin'] }, {}, false],
    ['all privileges', { privileges: undefined }, {}, false],
    ['a member changed that nobody knows', { limit: { amount: 6, units: ['EUR'] } }, {}, false],
    ['such a member changed deep inside', { limit: { amount: 5, units: ['USD'] } }, {}, false],
    ['one entry changed of a list that nobody knows', { limit: ['a', 'b'] }, { limit: ['a', 'c'] }, false],
    ['a list that became an object', { limit: { 0: 'a', length: 1 } }, { limit: ['a'] }, false],
    ['an object that became a list', { limit: ['a'] }, { limit: { 0: 'a', length: 1 } }, false],
    ['an object that became text', { limit: '' }, { limit: {} }, false],
    ['text that became an object', { limit: {} }, { limit: '' }, false],
    ['such a member gone', { limit: undefined }, {}, false],
    ['such a member added', {}, { limit: undefined }, false],
    ['a member that is another by its name', { limit: undefined, limits: FULL['limit'] }, {}, false],
  ])('%s [C6]', (_, child, parent, expected) => {
    const narrow = without({ ...FULL, ...child });
    const wide = without({ ...FULL, ...parent });
    expect(detailsNarrow([narrow], [wide])).toBe(expected);
    expect(detailsNarrow([narrow], [{ type: 'Other' }, wide])).toBe(expected);
    expect(detailsNarrow([{ ...wide }, narrow], [wide])).toBe(expected);
  });

  const full = Array.from({ length: 32 }, (_, at): AuthorizationDetail => ({ type: 'Repo', actions: actions(at) }));

  it.each([0, 1, 30, 31])('finds the one of 32 details that fits: %i [C6]', (at) => {
    expect(detailsNarrow([{ type: 'Repo', actions: actions(at) }], full)).toBe(true);
    expect(detailsNarrow([{ type: 'Repo', actions: actions(at) }], full.toSpliced(at, 1))).toBe(false);
    expect(detailsNarrow([{ type: 'Repo', actions: [`only-${at}`, `only-${(at + 1) % 32}`] }], full)).toBe(false);
  });

  it('allows nothing below more details than a token can have [C6]', () => {
    expect(detailsNarrow(full.slice(0, 1), [...full, { type: 'Repo' }])).toBe(false);
  });

  it('reads each value of the parent once, however many details the child has [A16]', () => {
    let reads = 0;
    const counted = full.map((detail) => ({
      ...detail,
      actions: new Proxy(detail.actions ?? [], {
        get: (target, name) => {
          reads += Number(typeof name === 'string' && /^\d+$/.test(name));
          return Reflect.get(target, name);
        },
      }),
    }));
    expect(detailsNarrow(full, counted)).toBe(true);
    expect(reads).toBe(32 * 27);
  });
});

const repo = (id: string): DetailedRequest => ({
  action: 'pr.create',
  resource: { type: 'Repo', id },
  locations: ['https://api.example'],
});

describe('detailsCover', () => {
  it('returns the details of the last list that cover the request', () => {
    const wide = { type: 'Repo' };
    const api = { type: 'Repo', identifier: 'acme/api' };
    const web = { type: 'Repo', identifier: 'acme/web' };
    expect(detailsCover([[wide], [api, web]], repo('acme/api'))).toEqual([api]);
    expect(detailsCover([[wide], [api, web, wide]], repo('acme/api'))).toEqual([api, wide]);
    expect(detailsCover([], repo('acme/api'))).toEqual([]);
    const here = { type: 'Repo', locations: ['https://other.example', 'https://api.example'] };
    const names = ['https://first.example', 'https://api.example'];
    expect(detailsCover([[here]], { ...repo('acme/api'), locations: names })).toEqual([here]);
  });

  it.each<[string, readonly (readonly AuthorizationDetail[])[]]>([
    ['the first list has none', [[{ type: 'Bucket' }], [{ type: 'Repo' }]]],
    ['the last list has none', [[{ type: 'Repo' }], [{ type: 'Bucket' }]]],
    ['the list is empty', [[]]],
    ['it is another resource', [[{ type: 'Repo', identifier: 'acme/web' }]]],
    ['it is another action', [[{ type: 'Repo', actions: ['pr.merge', 'pr'] }]]],
    ['it is another API', [[{ type: 'Repo', locations: ['https://api.example/'] }]]],
    ['two details fit it only together', [[{ type: 'Repo', identifier: 'acme/web' }, { type: 'Bucket' }]]],
    ['it is written in another case', [[{ type: 'repo' }]]],
    ['a limit is misspelt', [[{ type: 'Repo', identifiers: ['acme/web'] }]]],
    ['a member is not known', [[{ type: 'Repo', identifier: 'acme/api', limit: { amount: 5 } }]]],
    ['a member above is not known', [[{ type: 'Repo', ['']: 0 }], [{ type: 'Repo' }]]],
    ['a member is called as a method', [[{ type: 'Repo', valueOf: 'x' }]]],
  ])('returns undefined when %s [C6]', (_, lists) => {
    expect(detailsCover(lists, repo('acme/api'))).toBeUndefined();
  });

  it('covers no request with a narrower detail that the wider one does not cover (law) [C6]', () => {
    const detail = fc
      .record({
        type: fc.constantFrom('Repo', 'Bucket'),
        identifier: some(fc.constantFrom('a', 'b')),
        actions: some(fc.subarray(['x', 'y'], { minLength: 1 })),
        locations: some(fc.subarray(['l', 'm'], { minLength: 1 })),
        privileges: some(fc.subarray(['p', 'q'], { minLength: 1 })),
        limit: some(fc.constantFrom(1, 2)),
      })
      .map(without);
    const list = fc.array(detail, { minLength: 1, maxLength: 3 });
    const requests = ['Repo', 'Bucket'].flatMap((type) =>
      ['a', 'b'].flatMap((id) =>
        ['x', 'y'].flatMap((action) =>
          [['l'], ['m'], ['l', 'm']].map((locations) => ({ action, resource: { type, id }, locations })),
        ),
      ),
    );
    fc.assert(
      fc.property(list, list, (child, parent) => {
        fc.pre(detailsNarrow(child, parent));
        for (const request of requests) {
          const [narrow, wide] = [detailsCover([parent, child], request), detailsCover([parent], request)];
          if (narrow === undefined) continue;
          // What policy is told only comes, and then shrinks.
          for (const name of ['actions', 'identifier', 'locations', 'privileges'] as const) {
            const [told, before] = [narrow, wide].map((details) => details?.map((detail) => detail[name]));
            if (before?.includes(undefined) === false)
              expect(before.flat()).toEqual(expect.arrayContaining(told?.flat() ?? []));
            if (before?.includes(undefined) === false) expect(told).not.toContain(undefined);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
