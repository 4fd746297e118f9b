import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Message,
  parseAcceptSignature,
  parseContentDigest,
  parseSignatureHeader,
  parseSignatureInput,
  parseWantContentDigest,
  type RequestMessage,
  requireComponents,
  signatureRefusals,
  verifyMessage,
} from '../src/index.js';
import { serializeDictionary } from '../src/structured-fields/serialize.js';
import { parseDictionary } from '../src/structured-fields/parse.js';
import { COMPONENTS, NOW, policy, request, signed, TAG } from './support/messages.js';

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.stringMatching(/^[\x20-\x7e]{0,40}$/));
const component = fc.oneof(
  fc.constantFrom(
    ...COMPONENTS,
    '@target-uri',
    '@scheme',
    '@request-target',
    '@status',
    '@query-param',
    'x',
    'signature',
  ),
  text,
);
const parameter = fc.constantFrom(
  '',
  ';sf',
  ';bs',
  ';tr',
  ';req',
  ';key="sig"',
  ';name="a"',
  ';name="%ff"',
  ';x=1.0',
  ';sf=?0',
);
const member = fc
  .tuple(
    fc.array(fc.tuple(component, parameter, parameter), { maxLength: 4 }),
    fc.constantFrom(';created', `;created=${NOW}`, ';x'),
    text,
  )
  .map(([list, created, more]) => {
    const items = list.map(([name, a, b]) => `"${name}"${a}${b}`).join(' ');
    return `sig=(${items})${created};tag="${TAG}";nonce="${more}"`;
  });
const fields = fc
  .array(
    fc.tuple(
      fc.oneof(fc.constantFrom('Signature', 'Signature-Input', 'Content-Digest', 'x', '@method', '__proto__'), text),
      fc.oneof(text, member, fc.constant('sig=:AAAA:')),
    ),
    { maxLength: 6 },
  )
  .map((all) => all.flat());
const odd = fc.tuple(fields, text).map(([all, last]) => [...all, last]);
const rawFields = fc.oneof(
  fields,
  odd,
  member.map((value) => ['Signature-Input', value, 'Signature', 'sig=:AAAA:']),
);
const anyRequest: fc.Arbitrary<RequestMessage> = fc.record(
  {
    method: fc.oneof(fc.constantFrom('GET', 'CONNECT', ''), text),
    scheme: fc.constantFrom('http', 'https'),
    authority: fc.oneof(fc.constantFrom('a.example', '[::1]:80', ''), text),
    target: fc.oneof(fc.constantFrom('/a?b=%ff&b', '*', 'http://x', 'a:1', ''), text),
    rawFields,
    rawTrailers: rawFields,
  },
  { requiredKeys: ['method', 'scheme', 'authority', 'target', 'rawFields'] },
);
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  anyRequest,
  fc.record({ status: fc.integer(), rawFields, request: anyRequest }),
);

describe('arbitrary input', () => {
  it('makes verification return a known code and never throw', async () => {
    const lenient = policy({ components: requireComponents({}), parameters: [], maxAgeSeconds: Infinity });
    await fc.assert(
      fc.asyncProperty(anyMessage, fc.boolean(), async (message, strict) => {
        const result = await verifyMessage(message, strict ? policy() : lenient);
        expect(result.ok).toBe(false);
        if (!result.ok) expect(Object.keys(signatureRefusals)).toContain(result.code);
      }),
      { numRuns: 3000 },
    );
  });

  it('makes no parser throw', () => {
    fc.assert(
      fc.property(fc.oneof(text, member), rawFields, (value, raw) => {
        for (const parse of [parseSignatureInput, parseSignatureHeader, parseAcceptSignature, parseWantContentDigest]) {
          expect(typeof parse(value).ok).toBe('boolean');
        }
        expect(typeof parseContentDigest(raw).ok).toBe('boolean');
      }),
    );
  });

  it('in canonical form has a serialisation equal to the received Signature-Input [A16]', () => {
    fc.assert(
      fc.property(member, (value) => {
        const parsed = parseDictionary(value, { duplicates: 'refuse' });
        // Only the spelling of true (`;sf=?1`) and numbers with needless digits have two forms; the generator has none.
        if (parsed.ok) expect(serializeDictionary(parsed.value)).toBe(value);
      }),
    );
  });
});

describe('a valid message with one character replaced', () => {
  const sync = policy({ cryptoScheduling: 'sync' });
  const places = [
    'method',
    'target',
    'Signature-Input',
    'Signature',
    'Content-Type',
    'Content-Digest',
    'Authorization',
  ] as const;

  it('does not verify, for any position of the character', async () => {
    const valid = await signed(request());
    expect(await verifyMessage(valid, sync)).toMatchObject({ ok: true });
    const replacement = fc.oneof(
      fc.stringMatching(/^[\x20-\x7e]$/),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), fc.nat(400), replacement, async (place, at, character) => {
        const mutated = mutate(valid, place, at, character);
        fc.pre(mutated !== undefined);
        expect(await verifyMessage(mutated ?? valid, sync)).toMatchObject({ ok: false });
      }),
      { numRuns: 3000 },
    );
  });

  it('does not verify with any bit of the signature flipped', async () => {
    const valid = await signed(request());
    const at = valid.rawFields.indexOf('Signature') + 1;
    const bytes = Buffer.from((valid.rawFields[at] ?? '').slice(5, -1), 'base64');
    for (let bit = 0; bit < 512; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const rawFields = valid.rawFields.with(at, `sig=:${flipped.toString('base64')}:`);
      expect(await verifyMessage({ ...valid, rawFields }, sync)).toMatchObject({ code: 'invalid' });
    }
  });
});

type Place =
  | 'method'
  | 'target'
  | 'Signature-Input'
  | 'Signature'
  | 'Content-Type'
  | 'Content-Digest'
  | 'Authorization';

function mutate(valid: RequestMessage, place: Place, at: number, character: string): RequestMessage | undefined {
  if (place === 'method' || place === 'target') {
    const value = replaceAt(valid[place], at, character);
    return value === undefined ? undefined : { ...valid, [place]: value };
  }
  const index = valid.rawFields.indexOf(place) + 1;
  const value = replaceAt(valid.rawFields[index] ?? '', at, character);
  return value === undefined ? undefined : { ...valid, rawFields: valid.rawFields.with(index, value) };
}

function replaceAt(value: string, at: number, character: string): string | undefined {
  const position = at % value.length;
  if (value[position] === character) return undefined;
  return value.slice(0, position) + character + value.slice(position + 1);
}
