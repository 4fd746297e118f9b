import { CliError } from '../../cli-error.js';
import { readRoutes, type Route } from '../policy/routes.js';
import type { Framework } from './application.js';
import type { Source } from './sources.js';

/** A route where it stands in the source. */
export interface FoundRoute extends Route {
  readonly file: string;
  /** Its path as lists of routes name it: that of a bare `/:id` begins with what the file is about. */
  readonly listed: string;
  /** The call that declares it, and the offset at which that begins. */
  readonly declaration: string;
  readonly at: number;
  /** Whether it has a permit already. */
  readonly isPermitted: boolean;
  /** Where the permit goes; undefined if a person has to place it. */
  readonly place: Place | undefined;
}

export interface Place {
  readonly offset: number;
  /** `argument`: after the path. `spread`: into the options of a route of Fastify. `line`: a decorator on the next line. */
  readonly kind: 'argument' | 'spread' | 'line';
}

/** Names that applications give to what has routes. Others, like `axios.get('/x')`, are no routes. */
const owners = /^(?:app|api|server|fastify|instance|router|routes|\w*(?:App|Router|Routes))$/;

/** The routes that are declared as `app.get('/path', …)`, in the order of the files. */
export function findRoutes(sources: readonly Source[], framework: Framework): readonly FoundRoute[] {
  return sources.flatMap((source) => routesIn(source, framework));
}

function routesIn({ path: file, text }: Source, framework: Framework): FoundRoute[] {
  const found: FoundRoute[] = [];
  const routers = [...text.matchAll(/\b(\w+)(?:: ?\w{1,50})? ?= ?(?:new )?(?:express\.)?Router\(/g)].map(
    ([, name]) => name,
  );
  for (const { index, 0: call, 1: method = '' } of text.matchAll(/\.(get|post|put|patch|delete)\b/g)) {
    const owner = wordBefore(text, index);
    if ((!owners.test(owner) && !routers.includes(owner)) || isComment(text, index)) continue;
    const path = pathAt(text, afterTypes(text, index + call.length));
    if (path === undefined) continue;
    const listed = listedAs(path.text, file);
    const [route] = named(method.toUpperCase(), listed, file);
    const comma = skipSpace(text, path.end);
    // Without handlers it reads a setting of Express: app.get('/name').
    if (route === undefined || text.charAt(comma) !== ',') continue;
    const next = skipSpace(text, comma + 1);
    const isPermitted = /^(?:\{\s*\.\.\.)?permit\(/.test(text.slice(next, next + 40));
    const place = isPermitted ? undefined : placeIn(text, path.end, next, framework);
    const declaration = text.slice(index, endOfCall(text, path.end));
    found.push({ ...route, path: path.text, listed, file, declaration, at: index, isPermitted, place });
  }
  return found;
}

/** What two paths have in common that match the same requests. */
export function shapeOf(path: string): string {
  return path.replaceAll(/:\w+|\*\w*/g, ':').replace(/(?<=.)\/$/, '');
}

/** A router that is mounted elsewhere has paths like `/:id`: the file says what they are of. */
function listedAs(path: string, file: string): string {
  const isBare = !/[A-Za-z]/.test(path.replaceAll(/[:*]\w+/g, ''));
  return isBare ? `/${subjectOf(file)}${path === '/' ? '' : path}` : path;
}

/** The route with the names of its action and resource; none if no names can be made of its path. */
export function named(method: string, path: string, file: string): readonly Route[] {
  try {
    const [route] = readRoutes(`${method} ${path}`, file);
    const last = partOf(path);
    if (route === undefined || last === undefined || route.action.endsWith(`.${last}`)) return route ? [route] : [];
    const [part] = readRoutes(`${method} /${last}`, file);
    return [{ ...route, ...(part !== undefined && { action: part.action }) }];
  } catch (error) {
    if (error instanceof CliError) return [];
    throw error;
  }
}

/**
 * `comments` of `/articles/:slug/comments`: what is done there has an action of its own, on the article. A permit to
 * create articles must not be one to create comments.
 */
function partOf(path: string): string | undefined {
  const [last = '', before = ''] = path
    .split('/')
    .filter((part) => part !== '')
    .toReversed();
  return /^[:*]/.test(before) && /^[A-Za-z][\w-]*$/.test(last) ? last : undefined;
}

/** `orders` of `src/routes/orders.routes.ts` and of `src/orders/index.ts`. */
function subjectOf(file: string): string {
  const parts = file.split('/');
  const name = parts.at(-1)?.split('.')[0] ?? '';
  return name === 'index' ? (parts.at(-2) ?? name) : name;
}

function wordBefore(text: string, end: number): string {
  let start = end;
  while (start > 0 && /\w/.test(text.charAt(start - 1))) start -= 1;
  return text.slice(start, end);
}

export function isComment(text: string, at: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', at) + 1, at).trimStart();
  return line.startsWith('//') || line.startsWith('*') || line.startsWith('/*');
}

/** Skips type arguments, like those of `app.get<Params>(…)`. */
function afterTypes(text: string, at: number): number {
  if (text.charAt(at) !== '<') return at;
  let depth = 0;
  for (let place = at; place < text.length && place < at + 1000; place += 1) {
    if (text.charAt(place) === '<') depth += 1;
    if (text.charAt(place) === '>' && text.charAt(place - 1) !== '=') depth -= 1;
    if (depth === 0) return place + 1;
  }
  return at;
}

/** The literal path that is the first argument of a call, and the offset after it. */
function pathAt(text: string, at: number): { readonly text: string; readonly end: number } | undefined {
  if (text.charAt(at) !== '(') return undefined;
  const start = skipSpace(text, at + 1);
  const quote = text.charAt(start);
  if (quote !== "'" && quote !== '"' && quote !== '`') return undefined;
  const end = text.indexOf(quote, start + 1);
  const path = text.slice(start + 1, end);
  if (end < 0 || !path.startsWith('/') || /[\s\\$]/.test(path)) return undefined;
  return { text: path, end: end + 1 };
}

export function skipSpace(text: string, at: number): number {
  let place = at;
  while (/\s/.test(text.charAt(place))) place += 1;
  return place;
}

/** `next`: the offset of what follows the path. */
function placeIn(text: string, end: number, next: number, framework: Framework): Place | undefined {
  if (framework !== 'fastify') return { offset: end, kind: 'argument' };
  if (text.charAt(next) === '{') return { offset: next + 1, kind: 'spread' };
  // Options by name, app.get('/path', options, handler): only a person knows what is in them.
  return isNameBeforeComma(text, next) ? undefined : { offset: end, kind: 'argument' };
}

function isNameBeforeComma(text: string, start: number): boolean {
  let place = start;
  while (/[\w.$]/.test(text.charAt(place))) place += 1;
  return place > start && text.charAt(skipSpace(text, place)) === ',';
}

/** The offset of the parenthesis that ends a call. Text in quotes has no say. */
export function endOfCall(text: string, start: number): number {
  let depth = 1;
  let quote = '';
  for (let place = start; place < text.length; place += 1) {
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
