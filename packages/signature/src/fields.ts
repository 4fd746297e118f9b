import { LIMITS } from './limits.js';
import type { RawFields } from './message.js';
import { parseDictionary } from './structured-fields/parse.js';
import type { Dictionary, Parsed, ParseOptions } from './structured-fields/types.js';

/**
 * The fields of a header or trailer section, indexed by name once and parsed at most once. Later
 * changes to the raw fields do not reach it.
 */
export class FieldSection {
  /** Lines by lower-case name, in order of arrival. */
  readonly #lines = new Map<string, string[]>();
  /** Made with the first entry: most messages need neither. */
  #values: Map<string, string> | undefined;
  #dictionaries: Map<string, Dictionary | undefined> | undefined;
  readonly #budget = { length: LIMITS.structuredFieldsLength, parts: LIMITS.parts };

  constructor(rawFields: RawFields) {
    for (let at = 0; at + 1 < rawFields.length; at += 2) {
      const name = rawFields[at]?.toLowerCase() ?? '';
      const line = rawFields[at + 1] ?? '';
      const known = this.#lines.get(name);
      if (known === undefined) this.#lines.set(name, [line]);
      else known.push(line);
    }
  }

  /** The names of the fields, in lower case. */
  names(): Iterable<string> {
    return this.#lines.keys();
  }

  /** `name` is in lower case, here and below. */
  has(name: string): boolean {
    return this.#lines.has(name);
  }

  /** The lines of a field as received, in order; none if the field is absent. */
  raw(name: string): readonly string[] {
    return this.#lines.get(name) ?? NO_LINES;
  }

  /** Each line of a field on its own, for `;bs`. */
  lines(name: string): readonly string[] | undefined {
    return this.#lines.get(name)?.map(cleanLine);
  }

  /** The field value of RFC 9421 §2.1: lines trimmed, obsolete folds undone, joined by comma and space. */
  value(name: string): string | undefined {
    const lines = this.#lines.get(name);
    const [first] = lines ?? NO_LINES;
    if (first === undefined || lines?.length === 1) return first === undefined ? undefined : cleanLine(first);
    const known = this.#values?.get(name);
    if (known !== undefined) return known;
    const value = this.lines(name)?.join(', ') ?? '';
    this.#values ??= new Map();
    this.#values.set(name, value);
    return value;
  }

  /** The field as a structured field, strictly and within {@link LIMITS}. */
  parsed<T>(name: string, parse: (input: string, options: ParseOptions) => Parsed<T>): Parsed<T> {
    const value = this.value(name) ?? '';
    this.#budget.length -= value.length;
    if (this.#budget.length >= 0) return parse(value, { duplicates: 'refuse', budget: this.#budget });
    return { ok: false, problem: { kind: 'too_long', detail: 'the fields are too long' } };
  }

  /** The field as a dictionary, parsed once; `undefined` if it is none. */
  dictionary(name: string): Dictionary | undefined {
    this.#dictionaries ??= new Map();
    if (this.#dictionaries.has(name)) return this.#dictionaries.get(name);
    const parsed = this.parsed(name, parseDictionary);
    const dictionary = parsed.ok ? parsed.value : undefined;
    this.#dictionaries.set(name, dictionary);
    return dictionary;
  }
}

/**
 * The value of one field: its lines trimmed, obsolete folds undone, joined by comma and space (RFC 9421 §2.1).
 *
 * @example fieldValue(request.rawHeaders, 'content-digest')
 */
export function fieldValue(rawFields: RawFields | FieldSection, name: string): string | undefined {
  const fields = rawFields instanceof FieldSection ? rawFields : new FieldSection(rawFields);
  return fields.value(name.toLowerCase());
}

const NO_LINES: readonly string[] = Object.freeze([]);

const OBSOLETE_FOLD = /\r\n[ \t]+/;

function cleanLine(line: string): string {
  return trimmed(line.includes('\n') ? line.split(OBSOLETE_FOLD).map(trimmed).join(' ') : line);
}

/** Only spaces and tabs are optional whitespace: `trim()` would also remove bytes that are part of the value. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(text.charCodeAt(start))) start += 1;
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
