import { failed, type Reading } from './reading.js';

const maxDepth = 32;

/**
 * Reads JSON that means the same to every reader: well-formed UTF-8, no member name twice in one object (RFC 8259 §4
 * leaves open which of the two counts, so what one party checked could differ from what another uses), no `__proto__`,
 * and not nested more than 32 deep. With `mostMarks`, at most so many commas, colons and opening brackets stand outside
 * its strings, so that too many members are refused before they are parsed.
 */
export function parseStrictJson(input: string | Uint8Array, mostMarks: number = Infinity): Reading<unknown> {
  try {
    const text = typeof input === 'string' ? input : decodeUtf8(input);
    // Before the parser, which needs a second for a mebibyte of brackets.
    const problem = structureProblem(text, mostMarks);
    return problem === undefined ? { ok: true, value: JSON.parse(text) } : failed(problem);
  } catch {
    // The parser's own message would quote what was sent.
    return failed('it is not well-formed JSON');
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** The text may be no JSON. Reads by character: a regular expression takes ten times as long on untrusted input. */
function structureProblem(text: string, mostMarks: number): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let marks = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '{' || character === '[' || character === ':' || character === ',') marks += 1;
    if (marks > mostMarks) return 'it has too many members or items';
    if (character === '{' || character === '[') {
      if (open.push(character === '{' ? new Set() : undefined) > maxDepth) {
        return `it is nested more than ${maxDepth} deep`;
      }
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      const end = endOfString(text, at);
      const problem = isBeforeColon(text, end) ? nameProblem(text.slice(at + 1, end), open.at(-1)) : undefined;
      if (problem !== undefined) return problem;
      at = end;
    }
  }
  return undefined;
}

/** A string before a colon is a member name. */
function nameProblem(content: string, names: Set<string> | undefined): string | undefined {
  const name = content.includes('\\') ? String(JSON.parse(`"${content}"`)) : content;
  if (name === '__proto__') return 'it has a member named __proto__';
  if (names?.has(name)) return 'it has the same member twice';
  names?.add(name);
  return undefined;
}

/** The index of the closing quotation mark: the first one that is not escaped; the end of the text if there is none. */
function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

function isBeforeColon(text: string, end: number): boolean {
  let at = end + 1;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return text[at] === ':';
}
