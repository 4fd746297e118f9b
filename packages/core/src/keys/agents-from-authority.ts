import { ConfigError, failed, isJsonObject, type JsonObject, member, type Reading } from '@countersign/common';
import { fieldValue } from '@countersign/signature';
import { type DocumentKind, fetchDocument } from '../remote/remote-json.js';
import { verifyIssuerDocument } from '../stages/token/issuer-signature.js';
import { readIssuer, type TrustedIssuer } from '../stages/token/issuers.js';
import { type AgentSet, createAgentSet } from './agent-set.js';
import type { Agent, AgentDirectory, AgentKey } from './directory.js';
import { isUnixSeconds, readAgent, readAgentKey } from './registration.js';
import {
  cachedAgents,
  createMissPause,
  type MissPause,
  readRemoteDirectoryOptions,
  type RemoteAgents,
  remoteDirectory,
  type RemoteDirectoryOptions,
  type SkippedKey,
} from './remote-directory.js';

const owner = 'agentsFromAuthority';
const typ = 'agent-directory+jwt';
const maxBytes = 8 * 1024 ** 2;
const limits = { timeoutMilliseconds: 5000, maxBytes };
const maxKeys = 10_000;
const clockSkewSeconds = 60;
/** So long, at most, a suspended agent goes on, as for a revoked token by its status list. */
const maxAgeByDefault = 15;

/**
 * The agents that an authority registers, as it publishes them: a directory at `ISSUER/agents.jwt`, signed with the keys
 * of the issuer, which are found by its metadata. It is fetched at once, and then whenever it is older than
 * `maxAgeSeconds` (15). A directory that another issuer signed, that has expired, or that is older than the one before
 * is refused, and the one before stays in force for `maxStaleSeconds`.
 *
 * @throws ConfigError (as a rejection) when the directory cannot be used at start.
 *
 * @example
 * const agents = await agentsFromAuthority('https://id.acme.dev');
 */
export async function agentsFromAuthority(
  issuer: string,
  options: RemoteDirectoryOptions = {},
): Promise<AgentDirectory> {
  const settings = readRemoteDirectoryOptions(owner, options, { maxAge: maxAgeByDefault });
  const { dangerouslyAllowHttp, dangerouslyAllowPrivateAddresses } = options;
  const remote = {
    ...(dangerouslyAllowHttp !== undefined && { dangerouslyAllowHttp }),
    ...(dangerouslyAllowPrivateAddresses !== undefined && { dangerouslyAllowPrivateAddresses }),
  };
  const misses = createMissPause();
  const load = directoryLoader(readIssuer({ issuer, ...remote }), misses);
  const now = settings.clock() / 1000;
  const first = await load(now);
  if (!first.ok) {
    throw new ConfigError(
      `${owner}: the directory of '${issuer}' cannot be used: ${first.problem}. Start the authority first, and check that this is its issuer.`,
    );
  }
  // Old enough that the first request asks again: agents are often registered while the API starts.
  const initial = { value: first.value, since: now - settings.maxAgeSeconds - 1 };
  return remoteDirectory(cachedAgents(settings, load, { missPause: misses.seconds, initial }), settings);
}

interface SignedDirectory extends RemoteAgents {
  readonly version: number;
  readonly keys: ReadonlyMap<string, AgentKey>;
}

/** Fetches the directory of an issuer, unless it is the one that we have. */
function directoryLoader(issuer: TrustedIssuer, misses: MissPause): (now: number) => Promise<Reading<RemoteAgents>> {
  const url = new URL(`${issuer.issuer.replace(/\/$/, '')}/agents.jwt`);
  let last: { readonly value: SignedDirectory; readonly etag: string | undefined } | undefined;

  return async (now) => {
    const fetched = await fetchDocument(url, issuer.remote, documentKind(last?.etag), limits);
    if (!fetched.ok) return fetched;
    if (fetched.value.unchanged && last !== undefined) return { ok: true, value: last.value };
    const began = performance.now();
    const text = fetched.value.bytes.toString('latin1');
    const claims = await verifyIssuerDocument(text, { typ, maxLength: maxBytes }, issuer, now);
    if (!claims.ok) return claims;
    const read = readDirectory(claims.value, issuer, now, last?.value.keys ?? new Map());
    misses.recordReading(began);
    if (!read.ok) return read;
    // An older one could bring back an agent that is suspended since, or a key that was revoked.
    if (last !== undefined && read.value.version < last.value.version) {
      return failed(`its version ${read.value.version} is older than ${last.value.version}, the one before`);
    }
    last = { value: read.value, etag: fieldValue(fetched.value.rawHeaders, 'etag') };
    return read;
  };
}

function documentKind(etag: string | undefined): DocumentKind {
  return {
    accept: `application/${typ}`,
    contentType: /^application\/agent-directory\+jwt\s*(?:;|$)/i,
    name: `application/${typ}`,
    ...(etag !== undefined && { etag }),
  };
}

function readDirectory(
  claims: JsonObject,
  issuer: TrustedIssuer,
  now: number,
  known: ReadonlyMap<string, AgentKey>,
): Reading<SignedDirectory> {
  const [iat, exp, version] = ['iat', 'exp', 'version'].map((name) => member(claims, name));
  if (member(claims, 'iss') !== issuer.issuer) return failed('its iss is another issuer');
  if (!isUnixSeconds(iat) || iat > now + clockSkewSeconds) return failed('its iat is missing or in the future');
  if (!isUnixSeconds(exp) || exp + clockSkewSeconds <= now) return failed('its exp is missing, or it has expired');
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) {
    return failed('its version is no whole number');
  }
  const agents = readAgents(member(claims, 'agents'), known);
  if (!agents.ok) return agents;
  const { entries, reserved, skipped, keys } = agents.value;
  const build = (at: number): Reading<AgentsFor> => agentsFor(entries, reserved, at);
  let built = build(now);
  if (!built.ok) return built;
  const at = (moment: number): AgentSet | undefined => {
    if (moment >= exp + clockSkewSeconds) return undefined;
    if (built.ok && !(built.value.from <= moment && moment < built.value.until)) built = build(moment);
    return built.ok ? built.value.agents : undefined;
  };
  return { ok: true, value: { version, at, keyCount: keys.size, skipped, keys } };
}

/** The agents between two moments at which one of them changes. */
interface AgentsFor {
  readonly agents: AgentSet;
  readonly from: number;
  readonly until: number;
}

/** Roles and agents end on time also while the authority cannot be asked. */
function agentsFor(entries: readonly Entry[], reserved: readonly string[], now: number): Reading<AgentsFor> {
  const set = createAgentSet(
    entries.map((entry) => ({ agent: agentAt(entry, now), keys: entry.keys })),
    reserved,
  );
  if (!set.ok) return set;
  const moments = entries.flatMap(({ expires, roles }) => [expires, ...roles.map(({ until }) => until)]);
  const until = moments.reduce<number>((next, each) => (each > now && each < next ? each : next), Infinity);
  return { ok: true, value: { agents: set.set, from: now, until } };
}

/** An agent as it is in the directory. Infinity: for ever. */
interface Entry {
  /** With all roles that it has at any time. */
  readonly agent: Agent;
  readonly roles: readonly Role[];
  readonly expires: number;
  readonly keys: readonly AgentKey[];
}

interface Role {
  readonly name: string;
  readonly until: number;
}

function agentAt({ agent, roles, expires }: Entry, now: number): Agent {
  const current = roles.filter(({ until }) => now < until).map(({ name }) => name);
  if (now < expires && current.length === roles.length) return agent;
  const status = now < expires ? agent.status : 'suspended';
  return Object.freeze({ ...agent, roles: Object.freeze([...new Set(current)]), status });
}

interface ReadAgents {
  readonly entries: readonly Entry[];
  /** Names of agents that could not be read. They stay taken, so that no issuer vouches for a key under them. */
  readonly reserved: readonly string[];
  readonly skipped: readonly SkippedKey[];
  /** The keys by the text of their JWK. To import 10 000 keys takes half a second, so no key is imported twice. */
  readonly keys: ReadonlyMap<string, AgentKey>;
}

function readAgents(list: unknown, known: ReadonlyMap<string, AgentKey>): Reading<ReadAgents> {
  if (!Array.isArray(list)) return failed("it has no list of 'agents'");
  const listed = list.map((entry) => (isJsonObject(entry) ? member(entry, 'keys') : undefined));
  const count = listed.reduce<number>((sum, each) => sum + (Array.isArray(each) ? each.length : 0), 0);
  if (count > maxKeys) return failed(`it has ${count} keys; at most ${maxKeys} are accepted`);
  const entries: Entry[] = [];
  const reserved: string[] = [];
  const skipped: SkippedKey[] = [];
  const keys = new Map<string, AgentKey>();
  const readKey = (jwk: unknown): Reading<AgentKey> => {
    const text = JSON.stringify(jwk);
    const before = known.get(text);
    const read: Reading<AgentKey> = before ? { ok: true, value: before } : readJwk(jwk);
    if (read.ok) keys.set(text, read.value);
    return read;
  };
  for (const [index, entry] of list.entries()) {
    const id = isJsonObject(entry) ? member(entry, 'agent_id') : undefined;
    const named = typeof id === 'string' ? { agentId: id } : {};
    const read = readEntry(entry, readKey, (problem) => skipped.push({ index, ...named, problem }));
    if (read.ok) entries.push(read.value);
    else {
      skipped.push({ index, ...named, problem: read.problem });
      if (typeof id === 'string') reserved.push(id);
    }
  }
  return { ok: true, value: { entries, reserved, skipped, keys } };
}

/** A key that cannot be used is left out and does not harm the others. */
function readEntry(
  entry: unknown,
  readKey: (jwk: unknown) => Reading<AgentKey>,
  skip: (problem: string) => void,
): Reading<Entry> {
  if (!isJsonObject(entry)) return failed('it is not an object');
  const { capabilities, owner: answerable, keys, roles: listed = [], status, expires } = membersOf(entry);
  const roles = Array.isArray(listed) ? listed.map(readRole) : [undefined];
  if (!roles.every((role) => role !== undefined)) return failed("its 'roles' must be a list of names, or of objects");
  if (typeof status !== 'string') return failed("its 'status' must be a text");
  if (expires !== undefined && !isUnixSeconds(expires)) return failed("its 'expires' is not in whole unix seconds");
  if (!Array.isArray(keys)) return failed("it has no list of 'keys'");
  const agent = readAgent(member(entry, 'agent_id'), {
    capabilities,
    owner: answerable,
    roles: roles.map(({ name }) => name),
    // Also a status that is unknown here keeps an agent from acting.
    status: status === 'active' ? 'active' : 'suspended',
  });
  if (!agent.ok) return agent;
  const readings = keys.map(readKey);
  for (const reading of readings) if (!reading.ok) skip(reading.problem);
  const usable = readings.flatMap((reading) => (reading.ok ? [reading.value] : []));
  return { ok: true, value: { agent: agent.value, roles, expires: expires ?? Infinity, keys: usable } };
}

function readJwk(jwk: unknown): Reading<AgentKey> {
  return isJsonObject(jwk) ? readAgentKey({ jwk }) : failed('it is no JWK');
}

function membersOf(entry: JsonObject): Readonly<Record<string, unknown>> {
  const names = ['capabilities', 'owner', 'keys', 'roles', 'status', 'expires'];
  return Object.fromEntries(names.map((name) => [name, member(entry, name)]));
}

/** A name, or `{ name, until }`. Undefined: neither. */
function readRole(role: unknown): Role | undefined {
  const name = isJsonObject(role) ? member(role, 'name') : role;
  const until = isJsonObject(role) ? member(role, 'until') : undefined;
  if (typeof name !== 'string' || (until !== undefined && !isUnixSeconds(until))) return undefined;
  return { name, until: until ?? Infinity };
}
