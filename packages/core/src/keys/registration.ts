import { isIdentifier, parseScope } from '@countersign/delegation';
import {
  checkOptionNames,
  ConfigError,
  failed,
  isJsonObject,
  type JsonObject,
  LruCache,
  member,
  type Reading,
} from '@countersign/common';
import type { Agent, AgentKey } from './directory.js';
import { type PublicKeyReading, readPublicKey } from './ed25519-key.js';
import type { PublicJwk } from '../model/jwk.js';

/** One key of an agent, as users write it. Exactly one of `publicKey` and `jwk`. */
export interface KeyRegistration {
  /** The 32 bytes of the Ed25519 public key in base64. */
  readonly publicKey?: string;
  readonly jwk?: PublicJwk;
  /** Unix seconds; before it the key does not count. */
  readonly notBefore?: number;
  /** Unix seconds; from then on the key does not count. */
  readonly expires?: number;
}

/** The same, spelt like the rest of a printed registration. */
export interface PrintedKey {
  /** The 32 bytes of the Ed25519 public key in base64. */
  readonly public_key: string;
  /** Unix seconds; before it the key does not count. */
  readonly not_before?: number;
  /** Unix seconds; from then on the key does not count. */
  readonly expires?: number;
}

/** What may be said of an agent besides its name and keys. */
export interface AgentDetails {
  /** The scopes it may ever use. Default: none. */
  readonly capabilities?: readonly string[];
  /** Default: none. */
  readonly roles?: readonly string[];
  /** Who answers for it. */
  readonly owner?: string;
  /** Default `active`. */
  readonly status?: 'active' | 'suspended';
}

/** An agent as users write it, in code or in a JSON file. Exactly one of `publicKey`, `jwk` and `keys`. */
export interface NamedRegistration extends AgentDetails {
  readonly id: string;
  /** The 32 bytes of the Ed25519 public key in base64. */
  readonly publicKey?: string;
  readonly jwk?: PublicJwk;
  /** Several keys, so that one can be rotated while another still counts. Empty: nobody can act under this name. */
  readonly keys?: readonly (KeyRegistration | PrintedKey)[];
}

/** The same, spelt as `nacl.sign.keyPair()` examples print it. */
export interface PrintedRegistration extends AgentDetails {
  readonly agent_id: string;
  /** The 32 bytes of the Ed25519 public key in base64. Or else `keys`. */
  readonly public_key?: string;
  /** Several keys, so that one can be rotated while another still counts. Empty: nobody can act under this name. */
  readonly keys?: readonly (KeyRegistration | PrintedKey)[];
}

export type AgentRegistration = NamedRegistration | PrintedRegistration;

/** An agent with its keys, checked. */
export interface RegisteredAgent {
  readonly agent: Agent;
  readonly keys: readonly AgentKey[];
}

const registrationMembers = ['id', 'publicKey', 'jwk', 'keys', 'capabilities', 'roles', 'owner', 'status'];
const printedMembers = ['agent_id', 'public_key'];
const keyMembers = ['publicKey', 'jwk', 'notBefore', 'expires'];
const printedKeyMembers = ['public_key', 'not_before'];

/**
 * Reads what a user wrote about one agent, as every directory does. `where` names it in messages until its id is known.
 *
 * @throws ConfigError which names the agent and says what to do.
 *
 * @example
 * ```ts
 * const { agent, keys } = readRegistration({ id: 'agent-a', publicKey: 'CUDL…0ok=' }, 'the new agent');
 * ```
 */
export function readRegistration(input: unknown, where: string): RegisteredAgent {
  if (!isJsonObject(input)) throw new ConfigError(`${where} must be an object like { id, publicKey, capabilities }.`);
  const id = either(input, 'id', 'agent_id', where);
  const owner = typeof id === 'string' && id !== '' ? `agent '${id}'` : where;
  checkOptionNames(owner, input, [...registrationMembers, ...printedMembers]);

  const agent = readAgent(id, input);
  if (!agent.ok) throw new ConfigError(`${owner}: ${agent.problem}.`);
  return { agent: agent.value, keys: keysOf(input, owner).map((key) => registeredKey(key, owner)) };
}

/**
 * Reads one key that an agent gets. `owner` names the agent in messages.
 *
 * @throws ConfigError which says what to do.
 */
export function readKeyRegistration(input: unknown, owner: string): AgentKey {
  return registeredKey(keyMembersOf(input, owner), owner);
}

function registeredKey(input: JsonObject, owner: string): AgentKey {
  const read = readAgentKey(input);
  if (!read.ok) throw new ConfigError(`${owner}: its key cannot be registered: ${read.problem}.`);
  return read.value;
}

function keyMembersOf(input: unknown, owner: string): JsonObject {
  if (!isJsonObject(input))
    throw new ConfigError(`${owner}: each of its 'keys' must be an object like { publicKey, expires }.`);
  checkOptionNames(`${owner}, in 'keys'`, input, [...keyMembers, ...printedKeyMembers]);
  const publicKey = either(input, 'publicKey', 'public_key', owner);
  const notBefore = either(input, 'notBefore', 'not_before', owner);
  return { publicKey, jwk: member(input, 'jwk'), notBefore, expires: member(input, 'expires') };
}

/** A member under its name or as it is printed elsewhere; both at once would leave open which counts. */
function either(input: JsonObject, name: string, printed: string, owner: string): unknown {
  if (!Object.hasOwn(input, printed)) return member(input, name);
  if (Object.hasOwn(input, name))
    throw new ConfigError(`${owner}: '${name}' and '${printed}' mean the same. Write one.`);
  return member(input, printed);
}

function keysOf(input: JsonObject, owner: string): readonly JsonObject[] {
  const publicKey = either(input, 'publicKey', 'public_key', owner);
  const jwk = member(input, 'jwk');
  const keys = member(input, 'keys');
  if ([publicKey, jwk, keys].filter((way) => way !== undefined).length !== 1) {
    throw new ConfigError(
      `${owner}: give its key exactly once, as 'publicKey' (base64), as 'jwk', or as a list of 'keys'.`,
    );
  }
  if (keys === undefined) return [publicKey === undefined ? { jwk } : { publicKey }];
  // It may be empty: the name stays taken, so that an issuer cannot vouch for a key of a stranger under it.
  if (!Array.isArray(keys)) throw new ConfigError(`${owner}: 'keys' must be a list of keys.`);
  return keys.map((key: unknown) => keyMembersOf(key, owner));
}

/** Keys by their text: a file with one agent changed is read whole, and to import 10 000 keys takes half a second. */
const knownKeys = new LruCache<PublicKeyReading>(20_000);

function readKeyText(text: string): PublicKeyReading {
  const known = knownKeys.get(text);
  if (known !== undefined) return known;
  const key = readPublicKey(text);
  if (key.ok) knownKeys.set(text, key);
  return key;
}

/** Reads a key with its validity, which may also stand in the JWK as `nbf` and `exp`; the narrower counts. */
export function readAgentKey(input: JsonObject): Reading<AgentKey> {
  const text = member(input, 'publicKey');
  const jwk = member(input, 'jwk');
  if ((text === undefined) === (jwk === undefined)) return failed("exactly one of 'publicKey' and 'jwk' must be given");
  if (text !== undefined && typeof text !== 'string') return failed("its 'publicKey' is not a string");
  if (jwk !== undefined && !isJsonObject(jwk)) return failed("its 'jwk' is not an object");

  const claimed: JsonObject = jwk ?? {};
  const key = text === undefined ? readPublicKey(claimed) : readKeyText(text);
  if (!key.ok) return key;
  const notBefore = bound(Math.max, [member(input, 'notBefore'), member(claimed, 'nbf')]);
  const expires = bound(Math.min, [member(input, 'expires'), member(claimed, 'exp')]);
  if (notBefore === 'malformed' || expires === 'malformed') return failed('its validity is not in whole unix seconds');
  return {
    ok: true,
    value: Object.freeze({
      thumbprint: key.thumbprint,
      publicKey: key.publicKey,
      ...(notBefore !== undefined && { notBefore }),
      ...(expires !== undefined && { expires }),
    }),
  };
}

// Later than this is a moment in milliseconds, taken for seconds: such a key would never expire.
const latestSeconds = 100_000_000_000;

export function isUnixSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= latestSeconds;
}

function bound(
  narrower: (...values: number[]) => number,
  values: readonly unknown[],
): number | undefined | 'malformed' {
  const given = values.filter((value) => value !== undefined);
  const seconds = given.filter(isUnixSeconds);
  if (seconds.length < given.length) return 'malformed';
  return seconds.length === 0 ? undefined : narrower(...seconds);
}

/** Reads everything about an agent but its keys. */
export function readAgent(id: unknown, details: JsonObject): Reading<Agent> {
  if (!isIdentifier(id)) {
    return failed('its id must be visible text of 1 to 256 characters in NFC, without space at its ends');
  }
  // Only an absent member has a default: null may be an unset column of somebody who was meant to be suspended.
  const { capabilities = [], roles = [], owner, status = 'active' } = membersOf(details);
  if (!Array.isArray(capabilities)) return failed("its 'capabilities' must be a list of scopes");
  const misspelt = capabilities.find((capability: unknown) => !isScope(capability));
  if (misspelt !== undefined) {
    return failed(`its capability ${JSON.stringify(misspelt)} is not a scope like 'repo:read' or 'pr:write:draft'`);
  }
  if (!Array.isArray(roles) || !roles.every(isIdentifier)) return failed("its 'roles' must be a list of names");
  if (owner !== undefined && !isIdentifier(owner)) return failed("its 'owner' must be a name");
  if (status !== 'active' && status !== 'suspended') return failed("its 'status' must be 'active' or 'suspended'");
  return {
    ok: true,
    value: Object.freeze({
      id,
      capabilities: Object.freeze([...new Set<string>(capabilities)]),
      roles: Object.freeze([...new Set<string>(roles)]),
      ...(owner !== undefined && { owner }),
      status,
    }),
  };
}

function membersOf(details: JsonObject): Readonly<Record<string, unknown>> {
  const names = ['capabilities', 'roles', 'owner', 'status'];
  return Object.fromEntries(names.map((name) => [name, member(details, name)]));
}

function isScope(value: unknown): value is string {
  const read = parseScope(value);
  return read.ok && read.scope.length === 1 && read.scope[0] === value;
}
