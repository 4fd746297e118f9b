import { isIdentifier } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type DelegationRefusal, refuse } from './refusal.js';

/** Who acts (RFC 8693 §4.1): the outermost `act` of a token. */
export interface Actor {
  readonly subject: string;
  /** Present when the token says it; it is then the issuer of the token. */
  readonly issuer?: string;
}

type ActorRefusal = DelegationRefusal<
  'actor_malformed' | 'actor_issuer_mismatch' | 'actor_is_subject' | 'delegation_too_deep'
>;

/**
 * Reads an `act` claim of one level. Members other than `sub` and `iss` do not identify the actor and are not
 * meaningful inside `act` (RFC 8693 §4.1), so they are ignored; a nested `act` is part of the chain and never is.
 */
export function readActor(
  value: unknown,
  token: { readonly issuer: string; readonly subject: string },
): { readonly ok: true; readonly actor: Actor } | ActorRefusal {
  if (!isJsonObject(value)) return refuse('actor_malformed');
  if (Object.hasOwn(value, 'act')) return refuse('delegation_too_deep');
  const subject = member(value, 'sub');
  if (!isIdentifier(subject)) return refuse('actor_malformed');
  const issuer = member(value, 'iss');
  // An id means something only together with its issuer: `agent-1` of another issuer is another agent.
  if (issuer !== undefined && issuer !== token.issuer) return refuse('actor_issuer_mismatch');
  if (subject === token.subject) return refuse('actor_is_subject');
  return { ok: true, actor: { subject, ...(issuer !== undefined && { issuer: token.issuer }) } };
}
