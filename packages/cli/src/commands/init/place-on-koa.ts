import { endOfCall, skipSpaceBefore, wordBefore } from './calls.js';

/** What strangers may reach, and what has to see refusals. Whatever is not known here stays behind the guard. */
const outer =
  /^(?:koa|express|http|create|handle)?(?:error|log|logger|morgan|cors|helmet|rateLimit|rateLimiter|throttle|throttleLimit|requestId|requestLogger|responseTime|favicon|compress)(?:Handler|Middleware)?$/i;
/** An error handler that does nothing else. */
const onlyCatches = /^async \(\w+, next\) => \{\s*try \{\s*await next\(\);?\s*\} catch\b/;

/** The offset behind which the guard goes, and the indentation of a chain of calls if it goes into one. */
export interface KoaPlace {
  readonly behind: number;
  readonly indent: string | undefined;
}

function isPassedOn(name: string, text: string): boolean {
  return [...text.matchAll(/(?<![\w.])(\w+)\s*[,)]/g)].some((match) => match[1] === name);
}

/** After the error handler, CORS and rate limits with which an application begins, else where it was created. */
export function placeOnKoa(text: string, created: number, name: string, routers: ReadonlySet<string>): KoaPlace {
  let place: KoaPlace = { behind: created, indent: undefined };
  let closed = -1;
  for (const { index, 0: call } of text.matchAll(/\.use\(/g)) {
    if (index < created) continue;
    const before = skipSpaceBefore(text, index);
    const isChained = before - 1 === closed;
    if (!isChained && wordBefore(text, before) !== name) continue;
    const start = index + call.length;
    // `mountRoutes(app)` may use anything.
    if (isPassedOn(name, text.slice(place.behind, index)) || !isOuter(text.slice(start), routers)) return place;
    closed = endOfCall(text, start);
    place = { behind: closed, indent: chainBehind(text, index, closed) };
  }
  // A chain of which nothing has to be behind the guard ends with a semicolon.
  return place.indent === undefined ? place : { behind: created, indent: undefined };
}

/**
 * `text`: what follows `use(`. Only the middleware itself or one call that makes it: `errors.routes()` and
 * `cors(), router` may answer requests.
 */
export function isOuter(text: string, routers: ReadonlySet<string>): boolean {
  const used = text.slice(0, endOfCall(text, 0)).trim().replace(/,$/, '');
  const [middleware = ''] = /^\w*/.exec(used) ?? [];
  const isCall = used.startsWith(`${middleware}(`) && endOfCall(used, middleware.length + 1) === used.length - 1;
  const isWhole = isCall || used === middleware;
  return (outer.test(middleware) && isWhole && !routers.has(middleware)) || onlyCatches.test(text.slice(0, 500));
}

/** The indentation of a call that others follow in a chain; undefined if a statement ends there. */
function chainBehind(text: string, index: number, closed: number): string | undefined {
  const indent = text.slice(text.lastIndexOf('\n', index) + 1, index);
  return text.charAt(closed + 1) !== ';' && /^\s+$/.test(indent) ? indent : undefined;
}
