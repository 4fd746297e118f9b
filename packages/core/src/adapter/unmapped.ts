import type { IncomingMessage } from 'node:http';
import type { AuditOutcome } from '@countersign/audit';
import type { Guard } from '../guard.js';
import { admissionOf, callerOf, progressOf } from './admission.js';
import { isPermit, markOf } from './handler-mark.js';
import type { Respond } from './send-refusal.js';

/** Whether the handlers of a route include code of the application, and none of them asks for a permission. */
export function isUnmapped(handlers: readonly unknown[]): boolean {
  const own = handlers.filter((handler) => [undefined, 'permit'].includes(markOf(handler)?.role));
  return own.length > 0 && !own.some(isPermit);
}

/**
 * Whether an error before a permit of a route may skip it, where only handlers of four parameters are called while an error
 * is pending: one behind the permit may go on to another handler.
 */
export function mayBeSkipped(handlers: readonly unknown[]): boolean {
  const failing = handlers.findIndex((handler) => markOf(handler)?.runsMethod ?? markOf(handler) === undefined);
  const skipped = handlers.findIndex((handler, at) => at > failing && failing !== -1 && isPermit(handler));
  const catching = handlers.findIndex((handler, at) => at > skipped && skipped !== -1 && catches(handler));
  return catching !== -1 && handlers.slice(catching).some((handler) => !catches(handler));
}

function catches(handler: unknown): boolean {
  return (handler as Function).length === 4;
}

/** Where a router is with a request: an application may have replaced the method or the path since it was admitted. */
export interface Routing {
  readonly method: string | undefined;
  /** Default: any, so that every permit before the routes covers it. */
  readonly path?: string;
}

/**
 * Whether routes without a permit are closed to this request: an agent sent it, and no decision so far covers it. The
 * coarse decision covers only the method that was signed, a permit only the paths below its own.
 */
export function closesUnmapped(
  request: IncomingMessage,
  { method, path }: Routing = { method: request.method },
): boolean {
  const progress = progressOf(request);
  if (progress === undefined || callerOf(request) === undefined) return false;
  const { closed, covered, coarseMethod, refused } = progress;
  if (refused !== undefined) return true;
  if (coarseMethod === undefined && !closed) return false;
  const decided = coarseMethod !== undefined && coarseMethod === method;
  return !decided && !covered.some((above) => path === undefined || isBelow(path, above));
}

/**
 * Whether code that no route names is closed to this request, such as a resolver of GraphQL: no decision about its path says
 * anything of it.
 */
export function closesUnrouted(request: IncomingMessage): boolean {
  const progress = progressOf(request);
  if (progress === undefined || callerOf(request) === undefined) return false;
  return progress.closed || progress.refused !== undefined;
}

function isBelow(path: string, above: string): boolean {
  return above === '' || (path.startsWith(above) && ['/', '?', undefined].includes(path[above.length]));
}

/**
 * Refuses an agent on a route that is closed to it. Resolves to whether it did; the request has then been
 * answered, by default as `responderOf` says. A guard that observes only records.
 *
 * @throws RefusalError if the application wants refusals thrown.
 */
export async function refuseAgent(request: IncomingMessage, route: string, respond?: Respond): Promise<boolean> {
  const admission = admissionOf(request);
  if (admission?.caller === undefined) return false;
  const progress = progressOf(request);
  const refused = progress?.refused ?? (await admission.guard.unmapped(admission.caller, route));
  if (refused === undefined) {
    if (progress !== undefined) progress.wouldRefuse = true;
    return false;
  }
  admission.refuse(refused, respond);
  return true;
}

/** Paths contain ids, so without a bound every request could count as a route of its own. */
const maxReportedRoutes = 20;

const reportedRoutes = new WeakMap<Guard, Set<string>>();

/** Reports a route that served an agent without a decision: once, and not if there was no answer, or an error (404). */
export function reportUndecided(guard: Guard, route: string, { status = 0 }: AuditOutcome): void {
  if (status === 0 || status >= 400) return;
  const routes = reportedRoutes.get(guard) ?? new Set();
  reportedRoutes.set(guard, routes);
  if (routes.has(route) || routes.size >= maxReportedRoutes) return;
  routes.add(route);
  const last = routes.size === maxReportedRoutes ? '; further ones are in the audit log only' : '';
  guard.report(
    `${JSON.stringify(route)} served an agent without a decision: it asks for no permission, or was answered before its permit${last}`,
  );
}

/** What `reportClosed` uses of a logger. */
export interface RouteLogger {
  readonly level?: unknown;
  warn(routes: { readonly routes: readonly string[] }, text: string): void;
}

/** Lists the routes of an application that are closed to agents: once, as it forgets them. */
export function reportClosed(guard: Guard, routes: Set<string>, log: RouteLogger): void {
  if (routes.size === 0) return;
  const listed = [...routes];
  const text = `these routes ask for no permission: agents ${guard.mode === 'observe' ? 'would be' : 'are'} refused there`;
  log.warn({ routes: listed }, `countersign: ${text}`);
  // One that nobody has configured has no level, and drops every line.
  if (log.level === undefined) guard.report(`${text}: ${listed.join(', ')}`);
  routes.clear();
}
