import { posix } from 'node:path';
import type { Source } from './sources.js';

/** A call like `router.get(…)` of something that has routes. */
export interface RouterCall {
  /** The name of the method, like `get`. */
  readonly method: string;
  /** The offset of the dot before it. */
  readonly at: number;
  /** The offset behind the name of the method. */
  readonly end: number;
  /** What the router puts before its paths, as far as it says so itself. */
  readonly prefix: string;
}

/** Names that applications give to what has routes. Others, like `axios.get('/x')`, are no routes. */
const owners = /^(?:app|api|server|fastify|instance|router|routes|\w*(?:App|Router|Routes))$/;
const relativeImports =
  /^(?:import|const|let|var)\b[^;='"`]{1,500}(?:\bfrom\b|=\s*require\()\s*['"`](\.[^'"`\n]*)['"`]/gm;
const creations = /\b(?:(\w+)(?:: ?\w{1,50})? ?= ?)?(?:new )?(?:express\.)?Router\(/g;
/** Those that return their router, so that calls can be chained. */
const chained = /\.(get|post|put|patch|delete|del|head|options|all|use|param|route|prefix)\b/g;

/** The calls of routers in a text: `router.get(…)`, also on several lines and chained. */
export function routerCalls(text: string): readonly RouterCall[] {
  const prefixes = new Map<string, string>();
  /** The ends of calls that return a router, with its prefix. */
  const ends = new Map<number, string>();
  for (const { index, 0: call, 1: name } of text.matchAll(creations)) {
    const end = endOfCall(text, index + call.length);
    const options = text.slice(index + call.length, end);
    const prefix = /\bprefix: ?['"`](\/[^'"`\s$]*)['"`]/.exec(options)?.[1]?.replace(/\/$/, '') ?? '';
    if (name !== undefined) prefixes.set(name, prefix);
    ends.set(end, prefix);
  }
  const calls: RouterCall[] = [];
  for (const { index, 0: call, 1: method = '' } of text.matchAll(chained)) {
    const before = skipSpaceBefore(text, index);
    const owner = wordBefore(text, before);
    const prefix = owner === '' ? ends.get(before - 1) : (prefixes.get(owner) ?? (owners.test(owner) ? '' : undefined));
    if (prefix === undefined || isComment(text, index)) continue;
    const end = index + call.length;
    const open = afterTypes(text, end);
    if (text.charAt(open) === '(' && method !== 'route') ends.set(endOfCall(text, open + 1), prefix);
    calls.push({ method, at: index, end, prefix });
  }
  return calls;
}

/** Also skips lines that are comments. */
export function skipSpaceBefore(text: string, end: number): number {
  let place = end;
  for (;;) {
    while (place > 0 && /\s/.test(text.charAt(place - 1))) place -= 1;
    if (place === 0 || !isComment(text, place - 1)) return place;
    place = text.lastIndexOf('\n', place - 1) + 1;
  }
}

export function wordBefore(text: string, end: number): string {
  let start = end;
  while (start > 0 && /\w/.test(text.charAt(start - 1))) start -= 1;
  return text.slice(start, end);
}

export function isComment(text: string, at: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', at) + 1, at).trimStart();
  return line.startsWith('//') || line.startsWith('*') || line.startsWith('/*');
}

/** Skips type arguments, like those of `app.get<Params>(…)`. */
export function afterTypes(text: string, at: number): number {
  if (text.charAt(at) !== '<') return at;
  let depth = 0;
  for (let place = at; place < text.length && place < at + 1000; place += 1) {
    if (text.charAt(place) === '<') depth += 1;
    if (text.charAt(place) === '>' && text.charAt(place - 1) !== '=') depth -= 1;
    if (depth === 0) return place + 1;
  }
  return at;
}

export function skipSpace(text: string, at: number): number {
  let place = at;
  while (/\s/.test(text.charAt(place))) place += 1;
  return place;
}

/** The offset of the parenthesis that ends a call. Text in quotes has no say. */
export function endOfCall(text: string, start: number): number {
  let depth = 1;
  let quote = '';
  // An apostrophe in a comment looks like a quote: without a limit, each call could read the whole file.
  for (let place = start; place < text.length && place < start + 100_000; place += 1) {
    const character = text.charAt(place);
    if (quote !== '') {
      if (character === quote && text.charAt(place - 1) !== '\\') quote = '';
    } else if (character === "'" || character === '"' || character === '`') quote = character;
    else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    if (depth === 0) return place;
  }
  return start;
}

const closings: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '//': '\n', '/*': '*/' };

/**
 * The members of an object itself, from behind its brace: what is in inner brackets and in comments is blank, and offsets
 * stay. Undefined if the object does not end.
 */
export function ownMembers(text: string, start: number): string | undefined {
  let shown = '';
  let depth = 0;
  /** What ends the quotes or the comment. */
  let closing = '';
  let isComment = false;
  for (let place = start; place < text.length && place < start + 100_000; place += 1) {
    const character = text.charAt(place);
    if (closing === '') {
      const comment = closings[text.slice(place, place + 2)];
      isComment = comment !== undefined;
      closing = comment ?? closings[character] ?? '';
      if (/[)\]}]/.test(character)) depth -= 1;
      if (depth < 0) return shown;
      shown += depth > 0 || isComment ? ' ' : character;
      if (/[([{]/.test(character)) depth += 1;
    } else {
      shown += depth > 0 || isComment ? ' ' : character;
      if (character === '\\' && !isComment) {
        shown += ' ';
        place += 1;
      } else if (text.endsWith(closing, place + 1)) closing = '';
    }
  }
  return undefined;
}

/** The names by which a file may use routers: all that it imports from a file with routes may be one. */
export function routerNames(file: Source, sources: readonly Source[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { text } of sources) {
    for (const [, name] of text.matchAll(creations)) if (name !== undefined) names.add(name);
  }
  for (const [statement, path = ''] of file.text.matchAll(relativeImports)) {
    const target = bare(posix.join(posix.dirname(file.path), path));
    const imported = sources.find((source) => bare(source.path) === target);
    if (imported === undefined || !hasRouter(imported.text)) continue;
    for (const name of statement.split(/\W+/)) names.add(name);
  }
  return names;
}

function hasRouter(text: string): boolean {
  return text.search(creations) >= 0 || routerCalls(text).length > 0;
}

/** A path as an import without an ending names it. */
function bare(path: string): string {
  return path.replace(/\/$/, '').replace(/(?:\/index)?(?:\.[cm]?[jt]s)?$/, '');
}
