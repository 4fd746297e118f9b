import { isJsonObject, type JsonObject, member, secureUrl } from '@countersign/common';
import { readPublicKey } from '@countersign/core';
import { type Ed25519PublicJwk, isIdentifier, parseScope, spellingHint, undefinedHint } from '@countersign/delegation';
import { readSpiffeId } from '@countersign/spiffe';
import { AuthorityError } from '../authority-error.js';
import type { AgentRole, RegisteredAgent, RegisteredKey } from './agent.js';

/** The facts, checked. */
export type ReadFacts = Pick<
  RegisteredAgent,
  'owner' | 'capabilities' | 'roles' | 'tags' | 'expiresAt' | 'name' | 'redirectUris'
>;

const factNames = ['owner', 'capabilities', 'roles', 'tags', 'expiresAt', 'name', 'redirectUris'];
const keyNames = ['publicKey', 'jwk', 'notBefore', 'expiresAt'];
const mostEntries = 100;
const mostKeys = 16;
// Later than this is a moment in milliseconds, taken for seconds.
const latestSeconds = 100_000_000_000;

/**
 * Reads what an administrator or an agent wrote about an agent.
 *
 * @throws AuthorityError `agent_invalid`.
 */
export function readNewAgent(input: unknown): {
  readonly id: string;
  readonly status: 'pending' | 'active';
  readonly facts: ReadFacts;
  readonly keys: readonly RegisteredKey[];
} {
  const agent = objectOf(input, 'an agent', ['id', 'status', 'keys', ...factNames, ...keyNames]);
  const id = readNewId(member(agent, 'id'));
  const status = member(agent, 'status') ?? 'active';
  if (status !== 'active' && status !== 'pending') throw invalid("a new agent is 'active' or 'pending'");
  const own = pick(agent, keyNames.slice(0, 3));
  const listed = member(agent, 'keys');
  if (listed !== undefined && Object.keys(own).length > 0)
    throw invalid("give its keys once: 'publicKey', 'jwk' or 'keys'");
  const keys = listed === undefined ? (Object.keys(own).length === 0 ? [] : [readKey(own)]) : readKeys(listed);
  if (keys.length === 0 && status === 'active') throw invalid('an active agent needs a key');
  return { id, status, facts: readFacts(pick(agent, factNames)), keys };
}

/** @throws AuthorityError `agent_invalid`. */
export function readNewId(id: unknown): string {
  if (!isAgentId(id)) throw invalid('an id is 1 to 256 printable characters of ASCII without space');
  // The command line would take it for a pattern, and could not suspend the agent.
  if (isPattern(id)) throw invalid('an id is no pattern of SPIFFE IDs');
  return id;
}

/** Whether a text is a pattern of SPIFFE IDs. No SPIFFE ID is one. */
export function isPattern(text: string): boolean {
  return text.endsWith('/*') && readSpiffeId(text.slice(0, -2)) !== undefined;
}

/** An OAuth client id (RFC 6749 appendix A.1), which is what an agent id becomes; without space. */
export function isAgentId(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,256}$/.test(value);
}

/** @throws AuthorityError `agent_invalid`. */
export function readFacts(input: unknown): ReadFacts {
  const facts = objectOf(input, 'the agent', factNames);
  const owner = member(facts, 'owner');
  if (owner !== undefined && !isIdentifier(owner)) throw invalid("'owner' must be a name");
  const capabilities = listOf(facts, 'capabilities').map((scope) => {
    if (isScope(scope)) return scope;
    throw invalid("each of 'capabilities' must be a scope like 'repo:read' or 'pr:write:draft'");
  });
  const roles = listOf(facts, 'roles').map(readRole);
  const tags = listOf(facts, 'tags').map((tag) => {
    if (isTag(tag)) return tag;
    throw invalid("each of 'tags' must be 1 to 64 of a-z, 0-9, '.', ':' and '-'");
  });
  const redirectUris = listOf(facts, 'redirectUris').map((uri) => {
    if (isRedirectUri(uri)) return uri;
    throw invalid("each of 'redirectUris' must be an https URL without fragment, or one with http on loopback");
  });
  const name = member(facts, 'name');
  if (name !== undefined && !isIdentifier(name)) throw invalid("'name' must be a name");
  const expiresAt = timeOf(facts, 'expiresAt');
  return {
    ...(owner !== undefined && { owner }),
    capabilities: [...new Set(capabilities)],
    roles,
    tags: [...new Set(tags)],
    ...(expiresAt !== undefined && { expiresAt }),
    ...(name !== undefined && { name }),
    redirectUris: [...new Set(redirectUris)],
  };
}

/** RFC 8252 §7.3, RFC 9700 §2.1: where a code may be sent. */
function isRedirectUri(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 1024 && !value.includes('#') && secureUrl(value, 'loopback').ok;
}

export function isTag(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z0-9.:-]{1,64}$/.test(value);
}

function readRole(input: unknown): AgentRole {
  if (isIdentifier(input)) return { name: input };
  const role = objectOf(input, 'a role', ['name', 'until']);
  const name = member(role, 'name');
  if (!isIdentifier(name)) throw invalid("each of 'roles' must be a name, or an object like { name, until }");
  const until = timeOf(role, 'until');
  return { name, ...(until !== undefined && { until }) };
}

function readKeys(input: unknown): readonly RegisteredKey[] {
  if (!Array.isArray(input) || input.length > mostKeys)
    throw invalid(`'keys' must be a list of at most ${mostKeys} keys`);
  return input.map(readKey);
}

/** @throws AuthorityError `agent_invalid`. */
export function readKey(input: unknown): RegisteredKey {
  const key = objectOf(input, 'a key', keyNames);
  const [text, jwk] = [member(key, 'publicKey'), member(key, 'jwk')];
  if ((text === undefined) === (jwk === undefined))
    throw invalid("a key is given by exactly one of 'publicKey' and 'jwk'");
  if (typeof text !== 'string' && !isJsonObject(jwk)) throw invalid("'publicKey' must be base64, 'jwk' an object");
  const read = readPublicKey(typeof text === 'string' ? text : (jwk as JsonObject));
  if (!read.ok) throw invalid(`the key cannot be registered: ${read.problem}`);
  const [notBefore, expiresAt] = [timeOf(key, 'notBefore'), timeOf(key, 'expiresAt')];
  const { x } = read.publicKey.export({ format: 'jwk' });
  return {
    thumbprint: read.thumbprint,
    jwk: { kty: 'OKP', crv: 'Ed25519', x: String(x) } satisfies Ed25519PublicJwk,
    ...(notBefore !== undefined && { notBefore }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

function isScope(value: unknown): value is string {
  const read = parseScope(value);
  return read.ok && read.scope.length === 1 && read.scope[0] === value;
}

function timeOf(input: JsonObject, name: string): number | undefined {
  const value = member(input, name);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= latestSeconds) return value;
  throw invalid(`'${name}' must be whole unix seconds`);
}

function listOf(input: JsonObject, name: string): readonly unknown[] {
  const value = member(input, name) ?? [];
  if (Array.isArray(value) && value.length <= mostEntries) return value;
  throw invalid(`'${name}' must be a list of at most ${mostEntries} entries`);
}

function objectOf(input: unknown, what: string, known: readonly string[]): JsonObject {
  if (!isJsonObject(input)) throw invalid(`${what} must be an object`);
  for (const name of Object.keys(input)) {
    if (!known.includes(name)) throw invalid(`unknown member '${name}'. ${spellingHint(name, known, 'members')}`);
    // Without its end, a key or an agent never ends.
    if (input[name] === undefined) throw invalid(undefinedHint(name));
  }
  return input;
}

function pick(input: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(input, name) ? [[name, input[name]]] : [])));
}

function invalid(detail: string): AuthorityError {
  return new AuthorityError('agent_invalid', detail);
}
