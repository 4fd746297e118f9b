import { expect, it } from 'vitest';
import { parseDictionary, parseItem, parseList } from '../../src/structured-fields/parse.js';
import { serializeDictionary, serializeItem, serializeList } from '../../src/structured-fields/serialize.js';
import type { BareItem, Item, Member, Parameters } from '../../src/structured-fields/types.js';
import { describeVectors } from '../support/vectors.js';

type JsonBare = number | string | boolean | { readonly __type: string; readonly value: string | number };
type JsonParameters = readonly (readonly [string, JsonBare])[];
type JsonItem = readonly [JsonBare, JsonParameters];
type JsonMember = JsonItem | readonly [readonly JsonItem[], JsonParameters];

interface Case {
  readonly name: string;
  readonly raw?: readonly string[];
  readonly header_type: 'item' | 'list' | 'dictionary';
  readonly expected?: unknown;
  readonly must_fail?: boolean;
  readonly can_fail?: boolean;
  readonly canonical?: readonly string[];
}

/**
 * Cases where RFC 9651 lets a parser choose (`can_fail`) and ours refuses. Two spellings of one value would be two
 * values to a signature or a digest, so only the canonical spelling passes.
 */
const REFUSED_BY_CHOICE: readonly string[] = [
  'bad padding', // base64 without its padding
  'non-zero pad bits', // base64 whose unused bits are set
];

describeVectors('httpwg structured-field-tests', 'structured-field-tests/', (vectors) => {
  for (const file of vectors.jsonFiles()) {
    it(`parses and serialises ${file}`, () => {
      for (const test of vectors.json(file) as Case[]) checkParsing(test);
    });
  }

  for (const file of vectors.jsonFiles('serialisation-tests/')) {
    it(`serialises ${file}`, () => {
      for (const test of vectors.json(file) as Case[]) {
        const run = (): string => serialize(test.header_type, fromJson(test.header_type, test.expected));
        if (test.must_fail === true) expect(run, test.name).toThrow();
        else expect(run(), test.name).toBe(test.canonical?.[0]);
      }
    });
  }
});

function checkParsing(test: Case): void {
  const parsed = parse(test.header_type, (test.raw ?? []).join(', '));
  if (test.must_fail === true) {
    expect(parsed.ok, test.name).toBe(false);
    return;
  }
  if (test.can_fail === true && !parsed.ok) {
    expect(REFUSED_BY_CHOICE, test.name).toContain(test.name);
    return;
  }
  if (!parsed.ok) expect.fail(`${test.name}: ${parsed.problem.detail}`);
  expect(parsed.value, test.name).toEqual(fromJson(test.header_type, test.expected, parsed.value));
  const canonical = test.canonical ?? test.raw ?? [];
  expect(serialize(test.header_type, parsed.value), test.name).toBe(canonical[0] ?? '');
}

function parse(type: Case['header_type'], input: string) {
  if (type === 'item') return parseItem(input);
  return type === 'list' ? parseList(input) : parseDictionary(input);
}

function serialize(type: Case['header_type'], value: unknown): string {
  if (type === 'item') return serializeItem(value as Item);
  if (type === 'list') return serializeList(value as Member[]);
  return serializeDictionary(value as Map<string, Member>);
}

/**
 * The vectors write Integers and Decimals as JSON numbers. If a number is ambiguous, take the type of the parsed value; the
 * comparison of the serialisations distinguishes the types.
 */
function fromJson(type: Case['header_type'], json: unknown, parsed?: unknown): unknown {
  if (type === 'item') return member(json as JsonMember, parsed as Member);
  if (type === 'list') return (json as JsonMember[]).map((entry, at) => member(entry, (parsed as Member[])?.[at]));
  const entries = json as [string, JsonMember][];
  return new Map(entries.map(([key, value]) => [key, member(value, (parsed as Map<string, Member>)?.get(key))]));
}

function member(json: JsonMember, parsed?: Member): Member {
  const [value, parameters] = json;
  const inner = parsed !== undefined && 'items' in parsed ? parsed : undefined;
  if (Array.isArray(value)) {
    const items = (value as JsonItem[]).map((item, at) => member(item, inner?.items[at]) as Item);
    return { items, parameters: parametersOf(parameters, parsed?.parameters) };
  }
  const item = parsed !== undefined && !('items' in parsed) ? parsed.value : undefined;
  return { value: bare(value as JsonBare, item), parameters: parametersOf(parameters, parsed?.parameters) };
}

function parametersOf(json: JsonParameters, parsed?: Parameters): Parameters {
  return new Map(json.map(([key, value]) => [key, bare(value, parsed?.get(key))]));
}

function bare(json: JsonBare, parsed?: BareItem): BareItem {
  if (typeof json === 'number') {
    const decimal = !Number.isInteger(json) || parsed?.type === 'decimal';
    return { type: decimal ? 'decimal' : 'integer', value: json };
  }
  if (typeof json === 'string') return { type: 'string', value: json };
  if (typeof json === 'boolean') return { type: 'boolean', value: json };
  if (json.__type === 'binary') return { type: 'bytes', value: fromBase32(String(json.value)) };
  if (json.__type === 'displaystring') return { type: 'display-string', value: String(json.value) };
  if (json.__type === 'date') return { type: 'date', value: Number(json.value) };
  return { type: 'token', value: String(json.value) };
}

function fromBase32(text: string): Buffer {
  const bits = Array.from(text.replace(/=+$/, ''))
    .map((character) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(character).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
