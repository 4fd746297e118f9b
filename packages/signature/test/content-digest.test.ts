import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  computeContentDigest,
  type ContentDigestRefusal,
  type ContentDigests,
  type DigestAlgorithm,
  formatWantContentDigest,
  parseContentDigest,
  parseWantContentDigest,
  SignatureError,
  verifyContentDigest,
} from '../src/index.js';
import { describeVectors } from './support/vectors.js';

const body = Buffer.from('{"hello": "world"}');
const SHA256 = 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:';
const SHA512 = computeContentDigest(body, 'sha-512');
const WRONG512 = computeContentDigest(Buffer.from('other'), 'sha-512');

function parsed(...lines: string[]): ContentDigests {
  const result = parseContentDigest(lines.flatMap((line) => ['Content-Digest', line]));
  return result.ok ? result.digests : expect.fail(result.detail);
}

function codeOf(...lines: string[]): ContentDigestRefusal['code'] | 'ok' {
  const result = parseContentDigest(lines.flatMap((line) => ['content-digest', line]));
  return result.ok ? 'ok' : result.code;
}

describe('Content-Digest (RFC 9530)', () => {
  it('computes the values printed in the RFC', () => {
    expect(computeContentDigest(body)).toBe(SHA256);
    expect(computeContentDigest(new Uint8Array(0))).toBe('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:');
    expect(() => computeContentDigest(body, 'md5' as DigestAlgorithm)).toThrow(SignatureError);
  });

  it('verifies the content it was computed from, and no other', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.uint8Array(),
        fc.constantFrom<DigestAlgorithm>('sha-256', 'sha-512'),
        (a, b, algorithm) => {
          const digests = parsed(computeContentDigest(a, algorithm));
          expect(verifyContentDigest(digests, a)).toEqual({ ok: true });
          expect(verifyContentDigest(digests, b).ok).toBe(Buffer.compare(a, b) === 0);
        },
      ),
    );
  });

  it('verifies with hashes from the caller, and throws when one is missing', () => {
    const sha256 = createHash('sha256').update(body).digest();
    expect(verifyContentDigest(parsed(SHA256), { sha256 })).toEqual({ ok: true });
    expect(verifyContentDigest(parsed(SHA256), { sha256: Buffer.alloc(32) })).toMatchObject({ code: 'mismatch' });
    expect(verifyContentDigest(parsed(SHA256), { sha256: sha256.subarray(0, 31) })).toMatchObject({ code: 'mismatch' });
    expect(() => verifyContentDigest(parsed(SHA256, SHA512), { sha256 })).toThrow(SignatureError);
    expect(() => verifyContentDigest(new Map(), body)).toThrow(SignatureError);
  });

  it('with two values verifies only when both match, in either order [A4]', () => {
    expect(verifyContentDigest(parsed(SHA256, SHA512), body)).toEqual({ ok: true });
    expect(verifyContentDigest(parsed(SHA256, WRONG512), body)).toMatchObject({ code: 'mismatch' });
    expect(verifyContentDigest(parsed(`${WRONG512},${SHA256}`), body)).toMatchObject({ code: 'mismatch' });
  });

  it('ignores unknown and insecure algorithms beside a supported one, and refuses them alone [A4]', () => {
    expect([...parsed(`md5=:AAAA:, ${SHA256}, unixsum=:AAAA:`).keys()]).toEqual(['sha-256']);
    expect(codeOf('md5=:AAAA:, sha=:AAAA:')).toBe('unsupported');
    expect(codeOf('SHA-256=:AAAA:')).toBe('malformed');
    expect(codeOf('toString=:AAAA:')).toBe('malformed');
    expect(codeOf('constructor=:AAAA:')).toBe('unsupported');
    expect(codeOf('')).toBe('unsupported');
    expect(codeOf()).toBe('missing');
  });

  it.each([
    ['base64url', 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBP_=:'],
    ['no padding', SHA256.replace('=:', ':')],
    ['two pads, as some texts print it', SHA256.replace(/=:$/, '==:')],
    ['unused bits set', SHA256.replace('PE=', 'PF=')],
    ['a digest that is too short', 'sha-256=:AAAA:'],
    ['sha-512 in the name of sha-256', SHA512.replace('sha-512', 'sha-256')],
    ['a string', 'sha-256="X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="'],
    ['a list', 'sha-256=(:AAAA:)'],
    ['a flag', 'sha-256'],
    ['a duplicate', `${SHA256}, ${SHA256}`],
    ['an unknown algorithm with a string', `x="y", ${SHA256}`],
    ['the form of RFC 3230', 'SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE='],
    ['a trailing comma', `${SHA256},`],
    ['a long field', `${SHA256}, ${Array.from({ length: 400 }, (_, at) => `a${at}=:AAAA:`).join()}`],
  ])('%s is refused [A4]', (_, line) => {
    expect(codeOf(line)).toBe('malformed');
  });

  it('refuses a duplicate in a second line [A4]', () => {
    expect(codeOf(SHA256, SHA256)).toBe('malformed');
  });
});

describe('Want-Content-Digest', () => {
  it('is written and read', () => {
    const value = formatWantContentDigest({ 'sha-512': 3, 'sha-256': 10, unixsum: 0 });
    expect(value).toBe('sha-512=3, sha-256=10, unixsum=0');
    const read = parseWantContentDigest(value);
    expect(read.ok && Object.fromEntries(read.preferences)).toEqual({ 'sha-512': 3, 'sha-256': 10, unixsum: 0 });
  });

  it.each(['sha-256=11', 'sha-256=-1', 'sha-256=1.0', 'sha-256', 'sha-256=(1)', 'sha-256=1, sha-256=2', '"x"'])(
    'refuses %j',
    (value) => {
      expect(parseWantContentDigest(value).ok).toBe(false);
    },
  );

  it('refuses to write other preferences', () => {
    expect(() => formatWantContentDigest({ 'sha-256': 11 })).toThrow(SignatureError);
    expect(() => formatWantContentDigest({ 'sha-256': 0.5 })).toThrow(SignatureError);
  });
});

describeVectors('RFC 9530 digests', 'rfc9530/', (vectors) => {
  interface Case {
    readonly name: string;
    readonly contentHex: string;
    readonly alg: DigestAlgorithm;
    readonly value: string;
  }
  const { cases, headerForms } = vectors.json('content-digest.json') as { cases: Case[]; headerForms: string[] };

  it.each(cases)('$name, $alg', ({ contentHex, alg, value }) => {
    const content = Buffer.from(contentHex, 'hex');
    expect(computeContentDigest(content, alg)).toBe(`${alg}=${value}`);
    expect(verifyContentDigest(parsed(`${alg}=${value}`), content)).toEqual({ ok: true });
  });

  it('reads every printed form', () => {
    for (const form of headerForms) expect(codeOf(form)).toBe('ok');
  });
});
