import { intersectScopes, minimalScope, parseScope, type Scope, scopeCovers } from '@countersign/delegation';
import type { Resource } from '../options/read-options.js';
import { oauthError } from './oauth-error.js';

/**
 * The API that a request is for (RFC 8707). One token is for one API.
 *
 * @throws `invalid_target`.
 */
export function readResource(value: unknown, resources: readonly [Resource, ...Resource[]]): Resource {
  if (value === undefined) return resources[0];
  const found = resources.find(({ audience }) => audience === value);
  if (found === undefined) throw oauthError('invalid_target', 'the resource must be exactly one API of this authority');
  return found;
}

/**
 * The scope that is granted: what was asked for, if every limit covers all of it; without a request, as much as all limits
 * cover. An agent never gets less than it asked for without being told. Scopes are compared as the API compares them.
 *
 * @throws `invalid_scope`.
 */
export function grantScope(
  { scopes, scopeMatch }: Resource,
  asked: unknown,
  held: Scope,
  limits: readonly (Scope | undefined)[] = [],
): Scope {
  const bounds = [held, scopes, ...limits].filter((limit) => limit !== undefined);
  if (asked === undefined) {
    const granted = bounds.reduce(
      (all, bound) => intersectScopes(all, bound, scopeMatch),
      minimalScope(held, scopeMatch),
    );
    if (granted.length === 0) throw refused('nothing can be granted: the agent has no scope here');
    return granted;
  }
  const read = parseScope(asked);
  if (!read.ok) throw refused('the scope is malformed');
  const wider = read.scope.find((scope) => !bounds.every((bound) => scopeCovers(bound, scope, scopeMatch)));
  if (wider !== undefined) throw refused(`the scope ${wider} is more than can be granted`);
  return read.scope;
}

function refused(detail: string): Error {
  return oauthError('invalid_scope', detail);
}
