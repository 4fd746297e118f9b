import { describe, expect, it } from 'vitest';
import { checkPermission } from '../../src/node/check-arguments.js';
import { wholeResource } from '../../src/node/route-resource.js';

describe('wholeResource', () => {
  it.each(['acme/api', 'null/api', 'undefinedness', 'Undefined', 'nullable', '0'])('leaves %s alone', (id) => {
    const made = { type: 'Repo', id };
    expect(wholeResource(made)).toBe(made);
    expect(wholeResource(undefined)).toBeUndefined();
  });

  it.each(['undefined', 'null', 'NaN', '[object Object]', 'acme/undefined', 'undefined/api', String(undefined)])(
    'D12 takes no policy to %s, which is no name but what JavaScript writes for nothing',
    (id) => {
      expect(() => wholeResource({ type: 'Repo', id })).toThrow(/the id of this Repo names nothing/);
      // Where a host has no routes, permit is written with the id of each request, and a client must not make it throw.
      expect(() => checkPermission('permit', 'pr.create', { type: 'Repo', id }, {})).not.toThrow();
    },
  );

  it.each([undefined, '', ['a', 'b']])('D12 takes no policy to the id %j', (id) => {
    expect(() => wholeResource({ type: 'Repo', id })).toThrow(/a type and an id, both text/);
  });
});
