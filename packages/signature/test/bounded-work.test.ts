import { generateKeyPairSync } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { LIMITS } from '../src/limits.js';
import type { RequestMessage } from '../src/message.js';
import { verifyMessage, type VerificationResult } from '../src/verify.js';

const { publicKey } = generateKeyPairSync('ed25519');
const signature = `sig=:${Buffer.alloc(64).toString('base64')}:`;

interface Work {
  /** Counts executions of patterns: one or two for each token read and each text tested or rewritten. */
  readonly patterns: number;
  readonly lookups: number;
  readonly result: VerificationResult;
}

/** Verifies a message without a valid signature, and counts the work. */
async function workOf(
  rawFields: readonly string[],
  { known, target = '/' }: { readonly known: boolean; readonly target?: string },
): Promise<Work> {
  let lookups = 0;
  const message: RequestMessage = { method: 'GET', scheme: 'https', authority: 'api.acme.dev', target, rawFields };
  const patterns = vi.spyOn(RegExp.prototype, 'exec');
  try {
    const result = await verifyMessage(message, {
      select: { tag: 't' },
      components: () => undefined,
      parameters: ['created', 'keyid'],
      algorithms: ['ed25519'],
      now: 1000,
      maxAgeSeconds: 60,
      clockSkewSeconds: 5,
      resolveKey: () => {
        lookups += 1;
        return known ? { algorithm: 'ed25519', publicKey } : { problem: 'unknown' };
      },
    });
    return { patterns: patterns.mock.calls.length, lookups, result };
  } finally {
    patterns.mockRestore();
  }
}

function signedOver(list: string, ...others: readonly string[]): string[] {
  const input = `sig=(${list});created=1000;keyid="k";tag="t"`;
  return [...others, 'Signature-Input', input, 'Signature', signature];
}

const times = (count: number, make: (at: number) => string): string[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** Signature-Input and Signature, each with a budget of parts, and the work for each covered component. */
const mostBeforeTheKey = 4 * LIMITS.parts + 4 * LIMITS.components;
/** The budget of covered structured fields, and one line of the base for each covered component. */
const mostWithTheKey = mostBeforeTheKey + 4 * LIMITS.parts + 4 * LIMITS.components + LIMITS.queryParameters * 4;

describe('The work for a refused message', () => {
  const dictionary = times(2000, (at) => `k${at.toString(36)}`).join(',');
  const members = times(60, (at) => `"x";key="k${at.toString(36)}"`).join(' ');

  it('does not depend on how often one field is covered [I1]', async () => {
    const short = dictionary.split(',', 100).join(',');
    const once = await workOf(signedOver('"x";key="k0"', 'X', short), { known: true });
    const often = await workOf(signedOver(members, 'X', short), { known: true });
    expect(once.result).toMatchObject({ code: 'invalid' });
    expect(often.result).toMatchObject({ code: 'invalid' });
    // Sixty more components to parse and serialise; the dictionary of 100 is parsed once.
    expect(often.patterns - once.patterns).toBeLessThan(60 * 20);
  });

  it('reads no value of a component before the key is known [I6]', async () => {
    const covered = await workOf(signedOver(members, 'X', dictionary), { known: false });
    const other = await workOf(signedOver(members, 'X', 'a'), { known: false });
    expect(covered.result).toMatchObject({ code: 'key' });
    expect(covered.patterns).toBe(other.patterns);
  });

  it.each([
    ['parameters of one component', `"x"${times(3000, (at) => `;k${at}`).join('')}`],
    ['parameters of 50 components', times(50, (at) => `"x${at}";a;b;c;d;e`).join(' ')],
    ['components', times(65, (at) => `"x${at}"`).join(' ')],
  ])('ends without a key lookup when there are too many %s [I2]', async (_parts, list) => {
    const { result, lookups, patterns } = await workOf(signedOver(list), { known: true });
    expect(result).toMatchObject({ code: 'malformed' });
    expect(lookups).toBe(0);
    expect(patterns).toBeLessThan(mostBeforeTheKey);
  });

  it('ends at the ninth signature [I2]', async () => {
    for (const [count, code] of [
      [8, 'missing'],
      [9, 'malformed'],
    ] as const) {
      const inputs = times(count, (at) => `s${at}=();tag="${at}"`).join(', ');
      const values = times(count, (at) => `s${at}=:AA==:`).join(', ');
      const { result } = await workOf(['Signature-Input', inputs, 'Signature', values], { known: true });
      expect(result).toMatchObject({ code });
    }
  });

  it.each([
    ['a dictionary of too many members', signedOver('"x";key="k0"', 'X', dictionary), '/'],
    ['too long a dictionary', signedOver('"x";key="k"', 'X', `k="${'a'.repeat(LIMITS.structuredFieldsLength)}"`), '/'],
    [
      'many dictionaries',
      signedOver(
        times(20, (at) => `"x${at}";key="a"`).join(' '),
        ...times(40, (at) =>
          at % 2 === 0 ? `x${at / 2}` : times(20, (letter) => String.fromCharCode(97 + letter)).join(','),
        ),
      ),
      '/',
    ],
    ['too many query parameters', signedOver('"@query-param";name="a"'), `/?${'a&'.repeat(300)}`],
    ['too long a query', signedOver('"@query-param";name="a"'), `/?a=${'!'.repeat(LIMITS.queryLength)}`],
  ])('ends at %s, also for a known key [I2]', async (_parts, fields, target) => {
    const { result, patterns } = await workOf(fields, { known: true, target });
    expect(result).toMatchObject({ code: 'component_malformed' });
    expect(patterns).toBeLessThan(mostWithTheKey);
  });

  it('is bounded for arbitrary input [A16, I2]', async () => {
    const name = fc.constantFrom(
      'x',
      'y',
      'content-digest',
      'signature',
      '@query-param',
      '@path',
      '@authority',
      '@query',
    );
    const parameter = fc.constantFrom(';key="k0"', ';key="k1"', ';sf', ';bs', ';tr', ';req', ';name="a"', ';k', '');
    const component = fc
      .tuple(name, fc.array(parameter, { maxLength: 6 }))
      .map(([at, given]) => `"${at}"${given.join('')}`);
    const piece = fc.oneof(
      fc.constantFrom(
        'k0',
        'k1=1',
        '(a b)',
        '"\\""',
        ';a',
        ',',
        ' ',
        '()',
        ':AA==:',
        '%"%c3"',
        '?1',
        '@1',
        '1.5',
        '=',
        '{',
      ),
      fc.string({ unit: 'grapheme-ascii', maxLength: 4 }),
    );
    const text = fc
      .tuple(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 14_000 }))
      .map(([pieces, length]) => pieces.join('').repeat(500).slice(0, length));
    const list = fc
      .tuple(fc.array(component, { maxLength: 70 }), fc.constantFrom('', text))
      .map(([all]) => all.join(' '));
    const fields = fc.oneof(
      fc.tuple(list, text, text).map(([covered, x, y]) => signedOver(covered, 'X', x, 'Y', y)),
      fc.tuple(text, text).map(([input, value]) => ['Signature-Input', input, 'Signature', value]),
      text.map((input) => ['Signature-Input', `sig=();tag="t", ${input}`, 'Signature', signature]),
    );
    await fc.assert(
      fc.asyncProperty(fields, text, fc.boolean(), async (rawFields, query, known) => {
        const target = `/?${encodeURI(query)}`;
        const { result, lookups, patterns } = await workOf(rawFields, { known, target });
        expect(result.ok).toBe(false);
        expect(lookups).toBeLessThanOrEqual(1);
        expect(patterns).toBeLessThanOrEqual(lookups === 1 && known ? mostWithTheKey : mostBeforeTheKey);
      }),
      { numRuns: 500 },
    );
  });
});
