import type { AuditOutcome } from '@countersign/audit';
import type { Guard } from '../guard.js';

/** Paths hold ids: without a bound every request could be a route of its own. */
const mostNamed = 20;

const named = new WeakMap<Guard, Set<string>>();

/** Names a route that served an agent without a decision; once, and not where an error was the answer (404). */
export function warnUndecided(guard: Guard, route: string, { status = 0 }: AuditOutcome): void {
  if (status >= 400) return;
  const routes = named.get(guard) ?? new Set();
  named.set(guard, routes);
  if (routes.has(route) || routes.size >= mostNamed) return;
  routes.add(route);
  const last = routes.size === mostNamed ? '; further ones are in the audit log only' : '';
  guard.report(`${JSON.stringify(route)} served an agent without a decision: it asks for no permission${last}`);
}
