import { isIdentifier } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type DelegationRefusal, refuse } from './refusal.js';

/** One `act` of a token (RFC 8693 §4.1): the actor, or an earlier one. */
export interface Actor {
  readonly subject: string;
  /** Present if `act` has an `iss`, which then equals the issuer of the token. */
  readonly issuer?: string;
}

/** The actors of a token: the current one, and those before it, most recent first. */
export interface Actors {
  readonly actor: Actor;
  readonly priorActors: readonly Actor[];
}

type ActorRefusal = DelegationRefusal<
  'actor_malformed' | 'actor_issuer_mismatch' | 'actor_is_subject' | 'actor_repeated' | 'delegation_too_deep'
>;

/** Bounds parsing only, above the depth that any chain may have. */
const MAX_ACTORS = 16;

/**
 * Parses an `act` claim and the claims nested in it, without recursion. Members other than `sub`, `iss` and `act` do not
 * identify an actor and are not meaningful inside `act` (RFC 8693 §4.1), so they are ignored.
 */
export function readActors(
  value: unknown,
  token: { readonly issuer: string; readonly subject: string },
): ({ readonly ok: true } & Actors) | ActorRefusal {
  const outermost = readActor(value, token);
  if (!outermost.ok) return outermost;
  const seen = new Set([token.subject, outermost.actor.subject]);
  const priorActors: Actor[] = [];
  for (let nested = outermost.nested; nested !== undefined; ) {
    if (priorActors.length + 1 >= MAX_ACTORS) return refuse('delegation_too_deep');
    const read = readActor(nested, token);
    if (!read.ok) return read;
    if (seen.has(read.actor.subject)) return refuse('actor_repeated');
    seen.add(read.actor.subject);
    priorActors.push(read.actor);
    nested = read.nested;
  }
  return { ok: true, actor: outermost.actor, priorActors };
}

/** Parses one level and returns the nested `act` unparsed. */
function readActor(
  value: unknown,
  token: { readonly issuer: string; readonly subject: string },
): { readonly ok: true; readonly actor: Actor; readonly nested: unknown } | ActorRefusal {
  if (!isJsonObject(value)) return refuse('actor_malformed');
  const subject = member(value, 'sub');
  if (!isIdentifier(subject)) return refuse('actor_malformed');
  const issuer = member(value, 'iss');
  // An id is unique only together with its issuer: `agent-1` of another issuer is another agent.
  if (issuer !== undefined && issuer !== token.issuer) return refuse('actor_issuer_mismatch');
  if (subject === token.subject) return refuse('actor_is_subject');
  const actor = { subject, ...(issuer !== undefined && { issuer: token.issuer }) };
  return { ok: true, actor, nested: member(value, 'act') };
}
