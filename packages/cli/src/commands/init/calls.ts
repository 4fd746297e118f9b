import { importsOf } from './imports.js';
import type { Source } from './sources.js';

/** A call like `router.get(…)` of something that has routes. */
export interface RouterCall {
  /** The name of the method, like `get`. */
  readonly method: string;
  /** The offset of the dot before it. */
  readonly at: number;
  /** The offset behind the name of the method. */
  readonly end: number;
  /** The name of the router; empty if it has none. */
  readonly owner: string;
  /** What the router puts before its paths, as far as it says so itself; undefined if that is no literal. */
  readonly prefix: string | undefined;
  /** The literal path of `app.route('/path')`, of which this is a method. */
  readonly routePath?: string | undefined;
  /** The offset at which a router without a name is made. */
  readonly madeAt?: number | undefined;
}

/** Names that applications give to what has routes. Others, like `axios.get('/x')`, are no routes. */
export const ownerNames: RegExp = /^(?:app|api|server|fastify|instance|router|routes|\w*(?:App|Router|Routes))$/;
const creations =
  /\b(?:(\w+)(?:: ?[\w.]{1,50}(?:<[^>\n]{0,100}>)?)? ?= ?)?(?:new )?(?:require\([^()\n]{1,100}\)\.|\w{1,50}\.)?\w{0,50}Router(?:<[^>\n]{0,100}>)?\(/g;
/** `web = express()`: what it is called, whatever that is. */
const applications =
  /(?<![\w$])([\w$]+)(?:: ?[\w.]{1,50}(?:<[^>\n]{0,100}>)?)? ?= ?(?:(?:module\.)?exports(?:\.\w+)? ?= ?)?(?:await )?(?:express|[fF]astify|new Koa|(?:new )?\(?require\(['"](?:express|fastify|koa)['"]\)\)?)(?:\.default|\.fastify)?(?:<[^>\n]{0,100}>)?\(/g;
/** Those that return their router, so that calls can be chained. */
const chained =
  /\.(get|post|put|patch|delete|del|head|options|all|use|register|param|route|prefix|withTypeProvider)\b/g;

/** The routers that a text creates, each with its own prefix. */
export function createdRouters(text: string): ReadonlyMap<string, string | undefined> {
  const routers = routersIn(text).flatMap(({ name, prefix }) => (name === '' ? [] : [[name, prefix] as const]));
  // Koa: router.prefix('/path').
  const later = [...text.matchAll(/\b(\w+)\s*\.prefix\(([^()\n]*)\)/g)].map(
    ([, name = '', path]) => [name, literalIn(path)] as const,
  );
  return new Map([...routers, ...later.filter(([name]) => routers.some(([router]) => router === name))]);
}

/** The names of the applications that a text creates. */
export function createdApplications(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(applications)].map(([, name = '']) => name));
}

interface Made extends Pick<RouterCall, 'end' | 'prefix' | 'madeAt'> {
  readonly name: string;
}

function routersIn(text: string): readonly Made[] {
  return [...text.matchAll(creations)].map(({ index, 0: call, 1: name = '' }) => {
    const end = endOfCall(text, index + call.length);
    const options = text.slice(index + call.length, end);
    const [, prefix] = /\bprefix: ?(?:['"`](\/[^'"`\s$]*)['"`])?/.exec(options) ?? [undefined, ''];
    return { name, prefix: prefix?.replace(/\/$/, ''), end, madeAt: name === '' ? index : undefined };
  });
}

/** The calls of routers in a text: `router.get(…)`, also on several lines and chained. */
export function routerCalls(text: string): readonly RouterCall[] {
  const routers = routersIn(text);
  const prefixes = createdRouters(text);
  const named = createdApplications(text);
  /** The ends of calls that return a router, with what it is. */
  const ends = new Map<number, Pick<RouterCall, 'owner' | 'prefix' | 'routePath' | 'madeAt'>>(
    routers.map(({ end, name, prefix, madeAt }) => [end, { owner: name, prefix, madeAt }]),
  );
  const calls: RouterCall[] = [];
  for (const { index, 0: call, 1: method = '' } of text.matchAll(chained)) {
    const before = skipSpaceBefore(text, index);
    const name = wordBefore(text, before);
    const isOwner = prefixes.has(name) || named.has(name) || ownerNames.test(name);
    const owner = isOwner ? { owner: name, prefix: prefixes.has(name) ? prefixes.get(name) : '' } : undefined;
    const router = name === '' ? ends.get(before - 1) : owner;
    if (router === undefined || isComment(text, index)) continue;
    const end = index + call.length;
    const open = afterTypes(text, end);
    if (text.charAt(open) === '(') {
      const close = endOfCall(text, open + 1);
      const routePath = method === 'route' ? literalIn(text.slice(open + 1, close)) : undefined;
      if (method !== 'route') ends.set(close, router);
      else if (routePath !== undefined) ends.set(close, { ...router, routePath: routePath || '/' });
    }
    calls.push({ method, at: index, end, ...router });
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

/** A path in quotes, without a slash at its end; undefined if the text is anything else. */
export function literalIn(text: string | undefined): string | undefined {
  const [, , path] = /^\s*(['"`])((?:\/[^'"`\\$\s/]+)*)\/?\1\s*$/.exec(text ?? '') ?? [];
  return path;
}

/** An argument of a call, with the space around it. */
export interface Argument {
  readonly start: number;
  readonly text: string;
}

/** The arguments of a call, from the offset behind its name. */
export function argumentsAt(
  text: string,
  at: number,
): { readonly start: number; readonly end: number; readonly given: readonly Argument[] } {
  const open = afterTypes(text, at);
  const inside = text.charAt(open) === '(' ? ownMembers(text, open + 1) : undefined;
  const start = open + 1;
  if (inside === undefined) return { start, end: start, given: [] };
  // Commas in quotes are none.
  const bare = inside.replaceAll(/(['"`])[^'"`\n]*\1/g, (quoted) => ' '.repeat(quoted.length));
  const commas = [...bare.matchAll(/,/g)].map(({ index }) => index);
  const given = [-1, ...commas].map((comma, place) => {
    const from = start + comma + 1;
    return { start: from, text: text.slice(from, start + (commas[place] ?? inside.length)) };
  });
  return { start, end: start + inside.length, given };
}

/** The text with blanks in place of strings and comments. */
export function blankText(text: string): string {
  const strings = /\/\/[^\n]*|\/\*[^]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[^])*`/g;
  return text.replaceAll(strings, (found) => found.replaceAll(/[^\n]/g, ' '));
}

/** The names by which a file may use routers: all that it imports from a file with routes may be one. */
export function routerNames(file: Source, sources: readonly Source[]): ReadonlySet<string> {
  const imported = importsOf(file, sources).flatMap(({ names, target }) =>
    target !== undefined && hasRouter(target.text) ? names : [],
  );
  const created = sources.flatMap(({ text }) => [...createdRouters(text).keys(), ...createdApplications(text)]);
  return new Set([...created, ...imported]);
}

function hasRouter(text: string): boolean {
  return text.search(creations) >= 0 || routerCalls(text).length > 0;
}
