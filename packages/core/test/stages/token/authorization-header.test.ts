import * as fc from 'fast-check';
import { FieldSection } from '@countersign/signature';
import { describe, expect, it } from 'vitest';
import { readAuthorization as readField } from '../../../src/stages/token/authorization-header.js';

const readAuthorization = (rawHeaders: readonly string[], accepted?: { readonly dpop: boolean }) =>
  readField(new FieldSection(rawHeaders), accepted);

describe('readAuthorization', () => {
  it('finds no token, or one', () => {
    expect(readAuthorization(['Host', 'api.example'])).toEqual({ kind: 'none' });
    expect(readAuthorization([])).toEqual({ kind: 'none' });
    expect(readAuthorization(['Host', 'x', 'AUTHORIZATION', 'Bearer abc.DEF-_~+/=='])).toEqual({
      kind: 'bearer',
      token: 'abc.DEF-_~+/==',
      value: 'Bearer abc.DEF-_~+/==',
    });
  });

  it.each(['bearer x', 'BEARER x', 'bEaReR x'])('the scheme may be in any case: %s [B8]', (value) => {
    expect(readAuthorization(['authorization', value])).toMatchObject({ kind: 'bearer', token: 'x' });
  });

  it('two fields are malformed, also when they are equal or one is empty [B8]', () => {
    for (const other of ['Bearer a', 'Bearer b', 'Basic eA==', '']) {
      expect(readAuthorization(['Authorization', 'Bearer a', 'authorization', other])).toMatchObject({
        kind: 'malformed',
      });
      expect(readAuthorization(['Authorization', other, 'X', 'y', 'aUTHORIZATION', 'Bearer a'])).toMatchObject({
        kind: 'malformed',
      });
    }
  });

  it.each([
    [''],
    [' '],
    ['Bearer'],
    ['Bearer '],
    ['Bearer  x'],
    [' Bearer x'],
    ['Bearer x '],
    ['Bearer\tx'],
    ['Bearer x y'],
    ['Bearer x,Bearer y'],
    ['Bearer x, Basic eA=='],
    ['Bearer a=b'],
    ['Bearer ='],
    ['Bearer "x"'],
    ['Bearer token="x"'],
    ['Basic dXNlcjpwYXNz'],
    ['DPoP x'],
    ['Bearerx'],
    ['Token x'],
    ['x'],
    ['Bearer x\n'],
    ['Bearer x\u0000'],
  ])('%j is malformed, never absent [B8]', (value) => {
    expect(readAuthorization(['Authorization', value])).toMatchObject({ kind: 'malformed' });
  });

  it.each([
    ['Bearer %'],
    ['Bearer %E0%A4%A'],
    ['Bearer %C3%28'],
    ['Bearer \u00c3\u0028'],
    ['Bearer \u00ff\u00fe'],
    ['Bearer tök'],
    ['Bearer 😀'],
  ])('%j is malformed, not an exception [B10]', (value) =>
    expect(readAuthorization(['Authorization', value])).toMatchObject({ kind: 'malformed' }),
  );

  it('a megabyte is malformed [B2]', () => {
    expect(readAuthorization(['Authorization', `Bearer ${'x'.repeat(1_000_000)}`])).toMatchObject({
      kind: 'malformed',
    });
    expect(readAuthorization(['Authorization', `Bearer ${'='.repeat(16_000)}`])).toMatchObject({ kind: 'malformed' });
  });

  it('never throws, never quotes, and takes a token only as it stands', () => {
    const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(fc.constantFrom('Bearer ', 'bearer', ''), latin1, (scheme, rest) => {
        const value = scheme + rest;
        const read = readAuthorization(['Authorization', value]);
        if (read.kind === 'bearer') {
          expect(value.slice(7)).toBe(read.token);
          expect(read.token).toMatch(/^[A-Za-z0-9._~+/-]+=*$/);
        } else {
          expect(read.kind).toBe('malformed');
        }
      }),
    );
    fc.assert(fc.property(fc.array(fc.string()), (fields) => typeof readAuthorization(fields).kind === 'string'));
  });
});
