import { readBareItem } from './bare-items.js';
import { Scanner } from './scanner.js';
import {
  type BareItem,
  type Dictionary,
  type InnerList,
  type Item,
  type List,
  type Member,
  NO_PARAMETERS,
  type Parameters,
  type ParseOptions,
  type Parsed,
} from './types.js';

const KEY = /[a-z*][a-z0-9_\-.*]*/y;
const TRUE: BareItem = { type: 'boolean', value: true };

/** Parses a field value defined as an Item (RFC 9651 §4.2.3). */
export function parseItem(input: string, options?: ParseOptions): Parsed<Item> {
  return parseWith(input, options, readItem);
}

/** Parses a field value defined as a List (RFC 9651 §4.2.1). Several field lines are joined by a comma first. */
export function parseList(input: string, options?: ParseOptions): Parsed<List> {
  return parseWith(input, options, readList);
}

/** Parses a field value defined as a Dictionary (RFC 9651 §4.2.2). Several field lines are joined by a comma first. */
export function parseDictionary(input: string, options?: ParseOptions): Parsed<Dictionary> {
  return parseWith(input, options, readDictionary);
}

const SINGLE_BYTES = /^([a-z*][a-z0-9_\-.*]*)=:([A-Za-z0-9+/]+={0,2}):$/;

/**
 * A Dictionary of one Byte Sequence without parameters, the usual form of a signature and of a digest. Undefined for any
 * other value, and for one that is not canonical: the parser says what is wrong with it.
 */
export function readSingleBytes(input: string): readonly [key: string, bytes: Buffer] | undefined {
  const [, key, text = ''] = SINGLE_BYTES.exec(input) ?? [];
  if (key === undefined) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? [key, bytes] : undefined;
}

function parseWith<T>(
  input: string,
  options: ParseOptions | undefined,
  read: (scanner: Scanner) => T | undefined,
): Parsed<T> {
  const scanner = new Scanner(input, options);
  scanner.skipSpaces();
  const value = read(scanner);
  if (value !== undefined) {
    scanner.skipSpaces();
    if (scanner.done) return { ok: true, value };
    scanner.fail('unexpected character');
  }
  return { ok: false, problem: scanner.problem ?? { kind: 'syntax', detail: 'not a structured field' } };
}

function readList(scanner: Scanner): List | undefined {
  const members: Member[] = [];
  while (!scanner.done) {
    const member = readMember(scanner);
    if (member === undefined) return undefined;
    members.push(member);
    if (!readSeparator(scanner)) return undefined;
  }
  return members;
}

function readDictionary(scanner: Scanner): Dictionary | undefined {
  const members = new Map<string, Member>();
  while (!scanner.done) {
    const key = readKey(scanner);
    if (key === undefined) return scanner.fail('no dictionary key');
    if (scanner.refuseDuplicates && members.has(key))
      return scanner.fail('a dictionary key is repeated', 'duplicate_key');
    const member = scanner.take(0x3d) ? readMember(scanner) : readFlag(scanner);
    if (member === undefined) return undefined;
    members.set(key, member);
    if (!readSeparator(scanner)) return undefined;
  }
  return members;
}

/** A dictionary key alone is Boolean true. */
function readFlag(scanner: Scanner): Item | undefined {
  const parameters = readParameters(scanner);
  return parameters && { value: TRUE, parameters };
}

/** The comma between two members; a trailing comma is refused. */
function readSeparator(scanner: Scanner): boolean {
  scanner.skipOptionalWhitespace();
  if (scanner.done) return true;
  const comma = scanner.take(0x2c);
  scanner.skipOptionalWhitespace();
  if (comma && !scanner.done) return true;
  scanner.fail(comma ? 'a trailing comma' : 'no comma between members');
  return false;
}

function readMember(scanner: Scanner): Member | undefined {
  return scanner.peek() === 0x28 ? readInnerList(scanner) : readItem(scanner);
}

function readKey(scanner: Scanner): string | undefined {
  return scanner.count() ? scanner.match(KEY)?.[0] : undefined;
}

function readInnerList(scanner: Scanner): InnerList | undefined {
  if (!scanner.count()) return undefined;
  scanner.take(0x28);
  const items: Item[] = [];
  for (;;) {
    scanner.skipSpaces();
    if (scanner.take(0x29)) break;
    const item = readItem(scanner);
    if (item === undefined) return undefined;
    items.push(item);
    const next = scanner.peek();
    if (next !== 0x20 && next !== 0x29) return scanner.fail('an Inner List is not closed or its items are not spaced');
  }
  const parameters = readParameters(scanner);
  return parameters && { items, parameters };
}

function readItem(scanner: Scanner): Item | undefined {
  if (!scanner.count()) return undefined;
  const value = readBareItem(scanner);
  if (value === undefined) return undefined;
  const parameters = readParameters(scanner);
  return parameters && { value, parameters };
}

function readParameters(scanner: Scanner): Parameters | undefined {
  if (scanner.peek() !== 0x3b) return NO_PARAMETERS;
  const parameters = new Map<string, BareItem>();
  while (scanner.take(0x3b)) {
    scanner.skipSpaces();
    const key = readKey(scanner);
    if (key === undefined) return scanner.fail('no parameter key');
    if (scanner.refuseDuplicates && parameters.has(key)) {
      return scanner.fail('a parameter is repeated', 'duplicate_parameter');
    }
    const value = scanner.take(0x3d) ? readBareItem(scanner) : TRUE;
    if (value === undefined) return undefined;
    parameters.set(key, value);
  }
  return parameters;
}
