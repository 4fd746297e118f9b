import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readDecision } from '../src/decision-document.js';

it('a boolean decides', () => {
  expect(readDecision(true, 'set')).toEqual({
    decision: 'allow',
    cause: 'policy',
    policies: [],
    policySet: 'set',
    errors: [],
  });
  expect(readDecision(false, 'set')).toMatchObject({ decision: 'deny', cause: 'policy' });
});

it('an object decides, and names the rules', () => {
  expect(readDecision({ allow: true, policies: ['a', 'b'] }, '')).toMatchObject({
    decision: 'allow',
    policies: ['a', 'b'],
  });
  expect(readDecision({ allow: false, policies: ['c'] }, '')).toMatchObject({
    decision: 'deny',
    cause: 'policy',
    policies: ['c'],
  });
});

it.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['text', 'true'],
  ['1', 1],
  ['an array', [true]],
  ['an empty object', {}],
  ['allow as text', { allow: 'true' }],
  ['allow as a number', { allow: 1 }],
  ['policies as text', { allow: true, policies: 'a' }],
  ['a policy that is no text', { allow: true, policies: [1] }],
  ['null for policies', { allow: true, policies: null }],
  ['a deny beside allow', { allow: true, deny: true }],
  ['an unknown member', { allow: true, policies: [], deny: [] }],
])('%s is no decision [D3]', (_title, result) => {
  const { decision, cause, errors } = readDecision(result, '');
  expect({ decision, cause, errors: errors.length }).toEqual({ decision: 'deny', cause: 'error', errors: 1 });
});

it('nothing but a true permits [D3]', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const says = value === true || (value as { allow?: unknown } | null)?.allow === true;
      if (readDecision(value, '').decision === 'allow') expect(says).toBe(true);
    }),
    { numRuns: 200 },
  );
});
