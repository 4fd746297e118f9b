import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DelegationError } from '../src/error.js';
import { checkAudience, checkTimes } from '../src/validity.js';
import { NOW } from './support.js';

const OPTIONS = { now: NOW, clockSkewSeconds: 5, maxLifetimeSeconds: 3600 };

const times = (claims: Parameters<typeof checkTimes>[0], options = OPTIONS): string | undefined =>
  checkTimes(claims, options)?.code;

describe('checkTimes', () => {
  it.each([
    ['valid', { expiresAt: NOW + 300, issuedAt: NOW, notBefore: NOW }, undefined],
    ['last moment with skew', { expiresAt: NOW - 4, issuedAt: NOW - 300 }, undefined],
    ['expired to the second', { expiresAt: NOW - 5, issuedAt: NOW - 300 }, 'token_expired'],
    ['expired long ago', { expiresAt: 1 }, 'token_expired'],
    ['nbf within skew', { expiresAt: NOW + 300, notBefore: NOW + 5 }, undefined],
    ['nbf beyond skew', { expiresAt: NOW + 300, notBefore: NOW + 6 }, 'token_not_yet_valid'],
    ['iat within skew', { expiresAt: NOW + 300, issuedAt: NOW + 5 }, undefined],
    ['iat beyond skew', { expiresAt: NOW + 300, issuedAt: NOW + 6 }, 'token_issued_in_future'],
    ['longest lifetime', { expiresAt: NOW + 3000, issuedAt: NOW - 600 }, undefined],
    ['a second longer', { expiresAt: NOW + 3001, issuedAt: NOW - 600 }, 'token_lifetime_too_long'],
    ['iat of 0', { expiresAt: NOW + 1, issuedAt: 0 }, 'token_lifetime_too_long'],
    ['no iat, ends in time', { expiresAt: NOW + 3600 }, undefined],
    ['no iat, ends too late', { expiresAt: NOW + 3601 }, 'token_lifetime_too_long'],
    ['the year 285 million', { expiresAt: Number.MAX_SAFE_INTEGER, issuedAt: NOW }, 'token_lifetime_too_long'],
  ])('%s [B6]', (_, claims, code) => {
    expect(times(claims)).toBe(code);
  });

  it('accepts only a token that has started, has not ended and is short, for arbitrary times [B6]', () => {
    const seconds = fc.oneof(fc.integer({ min: NOW - 9000, max: NOW + 9000 }), fc.maxSafeNat());
    const optional = fc.option(seconds, { nil: undefined });
    fc.assert(
      fc.property(seconds, optional, optional, (expiresAt, issuedAt, notBefore) => {
        const accepted =
          times({
            expiresAt,
            ...(issuedAt !== undefined && { issuedAt }),
            ...(notBefore !== undefined && { notBefore }),
          }) === undefined;
        const expected =
          NOW - 5 < expiresAt &&
          expiresAt <= (issuedAt ?? NOW) + 3600 &&
          Math.max(issuedAt ?? 0, notBefore ?? 0) <= NOW + 5;
        expect(accepted).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it.each([[NaN], [Infinity], [-1], [undefined], ['5'], [null]])('throws when an option is %j', (wrong) => {
    for (const name of Object.keys(OPTIONS)) {
      const options = { ...OPTIONS, [name]: wrong };
      expect(() => checkTimes({ expiresAt: NOW + 1 }, options)).toThrow(DelegationError);
    }
  });
});

describe('checkAudience', () => {
  const accepted = ['https://api.example', 'urn:example:api'];
  const audience = (...values: string[]): string | undefined => checkAudience({ audience: values }, accepted)?.code;

  it('accepts one exact match among several', () => {
    expect(audience('https://api.example')).toBeUndefined();
    expect(audience('https://other.example', 'urn:example:api')).toBeUndefined();
  });

  it.each([
    'https://api.example/',
    'https://API.example',
    'https://api.example.evil',
    'https://api.exampl',
    'https://api.example:443',
    'https://api.example/mcp',
    'http://api.example',
    '',
    '*',
  ])('refuses %j [B5]', (value) => {
    expect(audience(value)).toBe('audience_mismatch');
  });

  it('refuses every audience when the accepted list is empty [B5]', () => {
    expect(checkAudience({ audience: ['https://api.example'] }, [])?.code).toBe('audience_mismatch');
    expect(checkAudience({ audience: [] }, accepted)?.code).toBe('audience_mismatch');
  });
});
