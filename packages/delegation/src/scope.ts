import { type DelegationRefusal, refuse } from './refusal.js';

/** A set of scopes, each a colon-separated path such as `pr:write:draft`. Order carries no meaning. */
export type Scope = readonly string[];

/**
 * The scopes that a held scope covers. `hierarchical`: itself and everything below it. `exact`: itself only, so that
 * `pr:write` is not enough for `pr:write:draft`.
 */
export type ScopeMatch = 'hierarchical' | 'exact';

export function isScopeMatch(value: unknown): value is ScopeMatch {
  return value === 'hierarchical' || value === 'exact';
}

const MAX_SCOPES = 100;
const MAX_SCOPE_LENGTH = 256;

// RFC 6749 §3.3 scope-token characters without the colon (0x3A), in non-empty segments between single colons:
// `a::b` and `a:` would give one right two spellings.
const SCOPE_TOKEN = /^[\x21\x23-\x39\x3b-\x5b\x5d-\x7e]+(?::[\x21\x23-\x39\x3b-\x5b\x5d-\x7e]+)*$/;

/**
 * Reads a `scope` claim or parameter (RFC 6749 §3.3): 1 to 100 scopes of at most 256 characters, separated by single
 * spaces. Anything else, an array included, is refused. Duplicates count once.
 *
 * @example
 * parseScope('repo:read pr:write') // { ok: true, scope: ['repo:read', 'pr:write'] }
 */
export function parseScope(
  value: unknown,
): { readonly ok: true; readonly scope: Scope } | DelegationRefusal<'scope_malformed'> {
  if (typeof value !== 'string' || value.length > MAX_SCOPES * (MAX_SCOPE_LENGTH + 1)) return refuse('scope_malformed');
  const tokens = value.split(' ');
  if (tokens.length > MAX_SCOPES || !tokens.every(isScopeToken)) return refuse('scope_malformed');
  return { ok: true, scope: [...new Set(tokens)] };
}

function isScopeToken(token: string): boolean {
  return token.length <= MAX_SCOPE_LENGTH && SCOPE_TOKEN.test(token);
}

/**
 * Whether the held scope covers the wanted one.
 * `pr:write` covers `pr:write` and, unless the match is `exact`, `pr:write:draft`, but neither `pr:writer` nor `pr`.
 */
export function covers(held: string, wanted: string, match: ScopeMatch = 'hierarchical'): boolean {
  if (held === '') return false;
  if (held === wanted) return true;
  return match === 'hierarchical' && wanted[held.length] === ':' && wanted.startsWith(held);
}

/** Whether any of the held scopes covers the wanted one. */
export function scopeCovers(held: Scope, wanted: string, match?: ScopeMatch): boolean {
  return held.some((scope) => covers(scope, wanted, match));
}

/**
 * The intersection of two scopes: the narrower of each pair. The result is minimal (no scope covers another) and sorted, so
 * equal rights give equal arrays.
 *
 * @example
 * intersectScopes(['pr:write', 'repo'], ['pr', 'repo:read']) // ['pr:write', 'repo:read']
 */
export function intersectScopes(a: Scope, b: Scope, match?: ScopeMatch): Scope {
  return minimalScope([...coveredScopes(b, a, match), ...coveredScopes(a, b, match)], match);
}

/** The same rights in their one shortest form: no duplicate, no scope that another covers, sorted by code unit. */
export function minimalScope(scope: Scope, match?: ScopeMatch): Scope {
  const distinct = new Set(scope);
  if (match === 'exact') return [...distinct].toSorted();
  return [...distinct].filter((wanted) => !pathsAbove(wanted).some((path) => distinct.has(path))).toSorted();
}

/** The wanted scopes that the held ones cover. Asks a set: a chain could make each of 100 scopes meet 100 others at every hop. */
export function coveredScopes(held: Scope, wanted: Scope, match: ScopeMatch = 'hierarchical'): Scope {
  const rights = new Set(held);
  return wanted.filter(
    (one) =>
      one !== '' && (rights.has(one) || (match === 'hierarchical' && pathsAbove(one).some((path) => rights.has(path)))),
  );
}

/** The scopes, other than itself, that cover a scope: `pr` and `pr:write` for `pr:write:draft`. */
function pathsAbove(scope: string): readonly string[] {
  const paths: string[] = [];
  for (let end = scope.indexOf(':', 1); end !== -1; end = scope.indexOf(':', end + 1)) paths.push(scope.slice(0, end));
  return paths;
}

/**
 * Spells out a scope for engines that can only ask for set membership (Cedar): the scope itself and every known scope
 * that it covers, sorted. Adds no right that the scope does not give.
 *
 * @example
 * closeScope(['pr:write'], ['pr', 'pr:write:draft']) // ['pr:write', 'pr:write:draft']
 */
export function closeScope(effective: Scope, vocabulary: Iterable<string>, match?: ScopeMatch): Scope {
  const closed = new Set(effective);
  for (const known of vocabulary) if (scopeCovers(effective, known, match)) closed.add(known);
  return [...closed].toSorted();
}

/** Writes a scope as the value of a `scope` claim or parameter; the inverse of {@link parseScope}. */
export function formatScope(scope: Scope): string {
  return scope.join(' ');
}
