import type { IncomingMessage } from 'node:http';
import type { AuditOutcome } from '@countersign/audit';
import type { Guard } from '../guard.js';
import { admissionOf, callerOf, progressOf } from './admission.js';
import { isPermit, markOf } from './handler-mark.js';

/** Whether the handlers of a route include code of the application, and none of them asks for a permission. */
export function isUnmapped(handlers: readonly unknown[]): boolean {
  const own = handlers.filter((handler) => !['agentAuth', 'refuser'].includes(markOf(handler)?.role ?? ''));
  return own.length > 0 && !own.some(isPermit);
}

/**
 * Whether routes without a permit are closed to this request: an agent sent it, and no decision so far covers it. The
 * coarse decision does not cover a method that the application has put in the place of the signed one since.
 */
export function closesUnmapped(request: IncomingMessage): boolean {
  const { closed = false, covered = false, coarseMethod, refused } = progressOf(request) ?? {};
  const decided = covered || coarseMethod === request.method;
  const closes = closed || coarseMethod !== undefined;
  return closes && (!decided || refused !== undefined) && callerOf(request) !== undefined;
}

/** Makes the decision just taken apply to every route below. */
export function coverBelow(request: IncomingMessage): void {
  const progress = progressOf(request);
  if (progress !== undefined) progress.covered = true;
}

/**
 * Refuses an agent on a route without a permit, if such routes are closed. Resolves to whether it did; the request has
 * then been answered.
 *
 * @throws RefusalError if the application wants refusals thrown.
 */
export async function refuseUnmapped(request: IncomingMessage, route: string): Promise<boolean> {
  return closesUnmapped(request) && (await refuseAgent(request, route));
}

/** The same on a route that is closed to agents by itself. */
export async function refuseAgent(request: IncomingMessage, route: string): Promise<boolean> {
  const admission = admissionOf(request);
  if (admission?.caller === undefined) return false;
  const refused = progressOf(request)?.refused;
  admission.refuse(refused ?? (await admission.guard.unmapped(admission.caller, route)));
  return true;
}

/** Paths contain ids, so without a bound every request could count as a route of its own. */
const maxReportedRoutes = 20;

const reportedRoutes = new WeakMap<Guard, Set<string>>();

/** Reports a route that served an agent without a decision: once, and not if the answer was an error (404). */
export function reportUndecided(guard: Guard, route: string, { status = 0 }: AuditOutcome): void {
  if (status >= 400) return;
  const routes = reportedRoutes.get(guard) ?? new Set();
  reportedRoutes.set(guard, routes);
  if (routes.has(route) || routes.size >= maxReportedRoutes) return;
  routes.add(route);
  const last = routes.size === maxReportedRoutes ? '; further ones are in the audit log only' : '';
  guard.report(`${JSON.stringify(route)} served an agent without a decision: it asks for no permission${last}`);
}
