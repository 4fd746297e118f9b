import type { KeyObject } from 'node:crypto';
import { outage, type Refusal, refusal } from '../../model/refusal.js';
import type { TokenResult, VerifiedToken } from '../token/token-verifier.js';
import type { Agent, AgentDirectory, AgentStatus, KeyLookup } from '../../keys/directory.js';
import { rememberKey } from '../../keys/bounded-directory.js';
import { readPublicKey } from '../../keys/ed25519-key.js';
import { isThumbprint } from '../../keys/remote-directory.js';
import { andThen, answerOr, type Awaitable } from '@countersign/common';

/** The agent to whom the key of a signature belongs. */
export interface KeyHolder {
  readonly agent: Agent;
  readonly thumbprint: string;
  readonly publicKey: KeyObject;
  /** `directory`: registered here. `issuer`: a trusted issuer vouches for the key in its token (`cnf.jwk`). */
  readonly vouchedBy: 'directory' | 'issuer';
  /** Of the agent only its name counts here: its rights were left out. */
  readonly nameOnly?: true;
  /** Finds the holder again, where that is not the directory. It holds nothing of the request. */
  readonly again?: (now: number) => Awaitable<KeyHolder | Refusal>;
}

/** A key that is known here. Whether its holder counts now is told only to who proved that it holds the key. */
export interface KnownKey {
  readonly publicKey: KeyObject;
  readonly holder: KeyHolder | Refusal;
}

interface KeyHolderParts {
  readonly agents: AgentDirectory;
  /** What became of the access token that may vouch for the key; undefined if there is none. */
  readonly token: TokenResult | undefined;
  readonly now: number;
  /** The key itself, where the request proved that its sender holds it (RFC 9449); a token then need not carry it. */
  readonly presentedKey?: KeyObject;
}

/** Whose key this is, by the directory, else by a token whose issuer vouches for it; or why it does not count. */
export function findKeyHolder(keyId: string, parts: KeyHolderParts): Awaitable<KeyHolder | Refusal> {
  return andThen(findKey(keyId, parts), (found) => ('code' in found ? found : found.holder));
}

/** Finds a key, also one that does not count now. */
export function findKey(keyId: string, parts: KeyHolderParts): Awaitable<KnownKey | Refusal> {
  return andThen(lookUp(parts.agents, keyId), (lookup) =>
    lookup.kind === 'unavailable' && lookup.final !== undefined
      ? findVouchedFirst(keyId, parts, lookup.final)
      : knownBy(lookup, keyId, parts),
  );
}

/** An agent that an issuer vouches for does not wait for the directory of another one. */
async function findVouchedFirst(
  keyId: string,
  parts: KeyHolderParts,
  final: () => Awaitable<KeyLookup>,
): Promise<KnownKey | Refusal> {
  const vouched = await findVouchedKey(keyId, parts);
  if ('holder' in vouched && 'agent' in vouched.holder) return vouched;
  return knownBy(await answerOr(final, unavailable), keyId, parts);
}

function knownBy(lookup: KeyLookup, keyId: string, parts: KeyHolderParts): Awaitable<KnownKey | Refusal> {
  if (lookup.kind === 'unavailable') {
    const { cause, reported } = lookup;
    return { ...refusal('keys_unavailable', cause), ...(reported !== undefined && { reported }) };
  }
  if (lookup.kind === 'unknown') return findVouchedKey(keyId, parts);
  return { publicKey: lookup.key.publicKey, holder: registeredHolder(lookup, parts.now) };
}

async function findVouchedKey(keyId: string, parts: KeyHolderParts): Promise<KnownKey | Refusal> {
  const { token: verified } = parts;
  if (verified === undefined) return refusal('key_unknown');
  if (!verified.ok) return refusal(verified.code, verified.detail);
  const publicKey = vouchedKey(keyId, verified.token, parts.presentedKey);
  if (publicKey === undefined) return refusal('key_unknown');
  rememberKey(keyId);
  return { publicKey, holder: await vouchedHolder(keyId, publicKey, verified.token, parts.agents) };
}

function registeredHolder({ agent, key }: Extract<KeyLookup, { kind: 'found' }>, now: number): KeyHolder | Refusal {
  if (agent.status !== 'active') return refusal('agent_suspended', agent.id);
  if (key.notBefore !== undefined && now < key.notBefore) return refusal('key_not_valid', 'not valid yet');
  if (key.expires !== undefined && now >= key.expires) return refusal('key_not_valid', 'expired');
  return { agent, thumbprint: key.thumbprint, publicKey: key.publicKey, vouchedBy: 'directory' };
}

/** The key that a token is bound to: the one that its sender has proved to hold, or the one in the token itself. */
function vouchedKey(keyId: string, { claims }: VerifiedToken, presentedKey?: KeyObject): KeyObject | undefined {
  const { confirmation } = claims;
  if (confirmation?.jkt !== keyId) return undefined;
  if (presentedKey !== undefined || confirmation.jwk === undefined) return presentedKey;
  const key = readPublicKey(confirmation.jwk);
  return key.ok ? key.publicKey : undefined;
}

async function vouchedHolder(
  keyId: string,
  publicKey: KeyObject,
  { claims, namespace, client }: VerifiedToken,
  agents: AgentDirectory,
): Promise<KeyHolder | Refusal> {
  // Without an actor the token must be the client's own (RFC 9068 §2.2): a user with a key is not an agent.
  if (claims.actor === undefined && client !== claims.subject) {
    return refusal('token_delegation_invalid', 'it names no actor, and its subject is not its client');
  }
  // An issuer names agents within its own namespace, and can never speak for one that is registered here.
  const id = claims.actor === undefined ? claims.subject : namespace + claims.actor.subject;
  const status = await statusOf(agents, id);
  if (status === 'unavailable') return refusal('keys_unavailable');
  if (status !== 'unknown') return refusal('token_not_bound_to_agent', `${id} is registered here with other keys`);
  const stopped = await stoppedNamesake(agents, id, namespace);
  if (stopped !== undefined) return stopped;
  const agent: Agent = { id, capabilities: claims.scope, roles: [], status: 'active' };
  return { agent, thumbprint: keyId, publicKey, vouchedBy: 'issuer' };
}

/** An issuer with a namespace may mean an agent that is registered here by its plain name: its suspension then counts. */
export async function stoppedNamesake(
  agents: AgentDirectory,
  id: string,
  namespace: string,
): Promise<Refusal | undefined> {
  if (namespace === '' || !id.startsWith(namespace)) return undefined;
  const name = id.slice(namespace.length);
  const status = await statusOf(agents, name);
  if (status === 'suspended') return refusal('agent_suspended', `${name} is suspended here`);
  return status === 'unavailable' ? refusal('keys_unavailable') : undefined;
}

/** A directory that fails is our outage, whatever the way it fails. */
function lookUp(agents: AgentDirectory, keyId: string): Awaitable<KeyLookup> {
  // What is no thumbprint is in no directory.
  if (!isThumbprint(keyId)) return { kind: 'unknown' };
  return answerOr(() => agents.findByThumbprint(keyId), unavailable);
}

function unavailable(error: unknown): KeyLookup {
  const { detail = '', reported = detail } = outage('keys_unavailable', error);
  return { kind: 'unavailable', cause: detail, reported };
}

const statuses: readonly AgentStatus[] = ['active', 'suspended', 'unknown'];

/** What the directory says of a name; what is no answer is an outage. Never rejects. */
export async function statusOf(agents: AgentDirectory, id: string): Promise<AgentStatus> {
  try {
    const status = await agents.statusOf(id);
    return statuses.includes(status) ? status : 'unavailable';
  } catch {
    return 'unavailable';
  }
}
