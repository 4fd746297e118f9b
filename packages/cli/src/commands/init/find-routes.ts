import { CliError } from '../../cli-error.js';
import { singular } from '../policy/names.js';
import { readRoutes, type Route } from '../policy/routes.js';
import type { Framework } from './application.js';
import { afterTypes, endOfCall, ownMembers, type RouterCall, routerCalls, skipSpace } from './calls.js';
import type { Foreign } from './foreign.js';
import { type ReadMount, readMounts } from './mounts.js';
import { shownPlace, type Source } from './sources.js';

/** A route where it stands in the source. */
export interface FoundRoute extends Route {
  readonly file: string;
  /** Its path as lists of routes name it, with the path of its router. A bare `/:id` begins with what the file is about. */
  readonly listed: string;
  /** The same without the path at which the router is mounted, if that says anything. */
  readonly own: string;
  /** Whether the path at which its router is mounted could be read. */
  readonly isMountRead: boolean;
  /** The call that declares it, and the offset at which that begins. */
  readonly declaration: string;
  /** The source of its handlers, as far as it stands there. */
  readonly handler: string;
  readonly at: number;
  /** `src/app.ts:12` */
  readonly where: string;
  /** Whether it has a permit already. */
  readonly isPermitted: boolean;
  /** Where the permit goes; undefined if a person has to place it. */
  readonly place: Place | undefined;
}

export interface Place {
  readonly offset: number;
  /**
   * `argument`: after the path. `spread`: into the options of a route of Fastify. `config`: into their config, which would
   * replace that of a permit. `line`: a decorator on the next line. `first`: before the handlers.
   */
  readonly kind: 'argument' | 'spread' | 'config' | 'line' | 'first';
}

/** The routes that are declared as `app.get('/path', …)` and that the guard closes, in the order of the files. */
export function findRoutes(
  sources: readonly Source[],
  framework: Framework,
  { isForeign }: Foreign,
): readonly FoundRoute[] {
  const { pathOf: mountOf } = readMounts(sources);
  return withOwnActions(sources.flatMap((source) => routesIn(source, framework, mountOf, isForeign)));
}

function routesIn(
  source: Source,
  framework: Framework,
  mountOf: ReadMount,
  isForeign: Foreign['isForeign'],
): FoundRoute[] {
  const { path: file, text } = source;
  const found: FoundRoute[] = [];
  for (const call of routerCalls(text).filter((each) => !isForeign(source, each))) {
    const { method, at, end, prefix } = call;
    const declared = framework === 'fastify' && method === 'route' ? routeObject(text, end) : undefined;
    const verb = declared?.method ?? methodOf(method);
    const apart = declared ?? pathOfRoute(text, call);
    const path = apart ?? pathAt(text, afterTypes(text, end));
    if (verb === undefined || path === undefined) continue;
    const inRouter = prefix ? `${prefix}${path.text === '/' ? '' : path.text}` : path.text;
    const mount = prefix === undefined ? undefined : mountOf(source, call);
    const listed = listedAs(inRouter, mount ?? '', file);
    const own = isBare(inRouter) ? listed : inRouter;
    const [route] = named(verb, listed, file);
    const comma = skipSpace(text, path.end);
    // Without handlers it reads a setting of Express: app.get('/name').
    if (route === undefined || (apart === undefined && text.charAt(comma) !== ',')) continue;
    const next = apart?.next ?? skipSpace(text, comma + 1);
    const isPermitted = /^(?:\{\s*\.\.\.)?permit\(/.test(text.slice(next, next + 40));
    const first =
      apart !== undefined && declared === undefined ? ({ offset: next, kind: 'first' } as const) : undefined;
    const place = isPermitted ? undefined : (first ?? placeIn(text, path.end, next, framework));
    const declaration = text.slice(at, endOfCall(text, path.end));
    const paths = { path: path.text, listed, own, isMountRead: mount !== undefined };
    const where = shownPlace(source, at);
    found.push({ ...route, ...paths, file, declaration, handler: declaration, at, where, isPermitted, place });
  }
  return found;
}

/** A path that stands elsewhere than before the handlers, which begin at `next`. */
interface PathApart {
  readonly text: string;
  readonly end: number;
  readonly next: number;
}

/** Express: `app.route('/path').get(…)`. */
function pathOfRoute(text: string, { end, routePath }: RouterCall): PathApart | undefined {
  const open = afterTypes(text, end);
  if (routePath === undefined || text.charAt(open) !== '(') return undefined;
  return { text: routePath, end: open + 1, next: skipSpace(text, open + 1) };
}

/** Fastify: `app.route({ method: 'GET', url: '/path', … })`. */
function routeObject(text: string, end: number): (PathApart & { readonly method: string }) | undefined {
  const open = afterTypes(text, end);
  const next = skipSpace(text, open + 1);
  if (text.charAt(open) !== '(' || text.charAt(next) !== '{') return undefined;
  const members = ownMembers(text, next + 1) ?? '';
  const [, method] = /\bmethod\b['"]?\s*:\s*['"`](GET|POST|PUT|PATCH|DELETE)['"`]/i.exec(members) ?? [];
  const [, path] = /\burl\b['"]?\s*:\s*['"`](\/[^'"`\s\\$]*)['"`]/.exec(members) ?? [];
  return method && path ? { method: method.toUpperCase(), text: path, end: open + 1, next } : undefined;
}

function methodOf(name: string): string | undefined {
  if (name === 'del') return 'DELETE';
  return /^(?:get|post|put|patch|delete)$/.test(name) ? name.toUpperCase() : undefined;
}

/** What two paths have in common that match the same requests. */
export function shapeOf(path: string): string {
  return path.replaceAll(/:\w+|\*\w*/g, ':').replace(/(?<=.)\/$/, '');
}

/** A router whose path is not known has paths like `/:id` and `/:id/cancel`: the file says what they are of. */
function listedAs(path: string, mount: string, file: string): string {
  const before = mount === '' && isBare(path) ? `/${subjectOf(file)}` : mount;
  return path === '/' && before !== '' ? before : `${before}${path}`;
}

function isBare(path: string): boolean {
  return path === '/' || /^\/[:*]/.test(path);
}

/**
 * Gives routes about different things actions of their own: a permit for `POST /bookings` must not open
 * `POST /reviews/booking/:id`. The shortest path keeps the name.
 */
function withOwnActions(routes: readonly FoundRoute[]): readonly FoundRoute[] {
  const first = new Map<string, string>();
  // Of two as long, the file that is about a thing keeps its name.
  const weight = ({ listed, path }: FoundRoute): number => 2 * wordsIn(listed).length + (listed === path ? 1 : 0);
  for (const { action, listed } of routes.toSorted((one, other) => weight(one) - weight(other))) {
    if (!first.has(action)) first.set(action, wordsIn(listed).join('/'));
  }
  return routes.map((route) => {
    const words = wordsIn(route.listed);
    if (first.get(route.action) === words.join('/')) return route;
    const verb = route.action.slice(route.action.lastIndexOf('.') + 1);
    const noun = words.map((word) => singular(word.toLowerCase())).filter((word) => word !== verb);
    const own = noun.join('-');
    // A file may be mounted below what it is about.
    const isTaken = first.has(`${own}.${verb}`);
    return { ...route, action: `${isTaken ? `${singular(subjectOf(route.file).toLowerCase())}-` : ''}${own}.${verb}` };
  });
}

/** The literal parts of a path. */
function wordsIn(path: string): readonly string[] {
  return path.split('/').filter((part) => /^[A-Za-z][\w-]*$/.test(part));
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

/** `next`: the offset of what follows the path. */
function placeIn(text: string, end: number, next: number, framework: Framework): Place | undefined {
  if (framework !== 'fastify') return { offset: end, kind: 'argument' };
  if (text.charAt(next) === '{') {
    const members = ownMembers(text, next + 1);
    if (members === undefined) return undefined;
    const own = /^[^]*?\bconfig\b(?:['"]?\s*:\s*(\{))?/.exec(members);
    if (own === null) return { offset: next + 1, kind: 'spread' };
    return own[1] === undefined ? undefined : { offset: next + 1 + own[0].length, kind: 'config' };
  }
  // Options by name, app.get('/path', options, handler): only a person knows what is in them.
  return isNameBeforeComma(text, next) ? undefined : { offset: end, kind: 'argument' };
}

function isNameBeforeComma(text: string, start: number): boolean {
  let place = start;
  while (/[\w.$]/.test(text.charAt(place))) place += 1;
  return place > start && text.charAt(skipSpace(text, place)) === ',';
}
