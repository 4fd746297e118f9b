import { andThen, ConfigError, isPromise, type Reading } from '@countersign/common';
import { boundsItself } from './bounded-directory.js';
import { type AgentSet, createAgentSet } from './agent-set.js';
import type { Agent, AgentDirectory } from './directory.js';
import { type AgentDetails, readAgent } from './registration.js';
import {
  cachedAgents,
  readRemoteDirectoryOptions,
  type RemoteAgents,
  remoteDirectory,
  type RemoteDirectoryOptions,
} from './remote-directory.js';
import { readRemoteUrl } from '../remote/remote-json.js';
import { fetchSignatureDirectory, type SignatureDirectory, wellKnownPath } from './signature-directory.js';

/** Who signs with the keys of the directory, and how the keys are kept. */
export interface SignatureDirectoryOptions extends RemoteDirectoryOptions, AgentDetails {
  /** The one agent that holds every key of the directory. What it may do is said here, never by the directory. */
  readonly id: string;
}

const ownOptions = ['id', 'capabilities', 'roles', 'owner', 'status'] as const;

/**
 * The agent whose keys an authority publishes as an HTTP Message Signatures Directory, as Web Bot Auth has it: a JWK Set
 * at `/.well-known/http-message-signatures-directory`, unless the URL names another path. A key counts only if the
 * answer is signed with it over `"@authority";req`, tagged `http-message-signatures-directory`, with `created` and
 * `expires`, at most a day ago; at another path also over `"@path";req` (and `"@query";req`), or over
 * `"@target-uri";req`. Only Ed25519 keys are read; their `keyid` is their thumbprint. Fetched and kept like
 * `agentsFromJwks`, except that other agents do not wait for it: a key that it did not hold when it was last read counts
 * at once if a later directory of `combine` holds it, or if an issuer vouches for it.
 *
 * @throws ConfigError when the URL or an option is wrong.
 *
 * @example
 * const agents = agentsFromSignatureDirectory('https://crawler.example', {
 *   id: 'example-crawler',
 *   capabilities: ['page:read'],
 * });
 */
export function agentsFromSignatureDirectory(url: string, options: SignatureDirectoryOptions): AgentDirectory {
  const owner = 'agentsFromSignatureDirectory';
  const settings = readRemoteDirectoryOptions(owner, options, { further: ownOptions });
  const { id, capabilities, roles, owner: answerable, status } = options;
  const agent = readAgent(id, { capabilities, roles, owner: answerable, status });
  if (!agent.ok) throw new ConfigError(`${owner}: ${agent.problem}.`);
  const address = addressOf(readRemoteUrl(owner, url, options));
  // However long ago: a key that was of this agent must not count for another one only because nobody can look.
  let lastRead: AgentSet | undefined;
  const agents = cachedAgents(settings, async (now) => {
    const fetched = await fetchSignatureDirectory(address, options, now);
    const read = fetched.ok ? setOf(agent.value, fetched.value) : fetched;
    if (read.ok) lastRead = read.value.at(now);
    // A suspended agent must not get in under another name because its keys were never read.
    else if (agent.value.status === 'active') lastRead ??= nobody;
    return read;
  });
  const directory = remoteDirectory(agents, settings);
  // Known without asking: its name is taken also while its keys cannot be fetched, and no other name ever is.
  return boundsItself({
    ...directory,
    findByThumbprint(thumbprint) {
      const asked = directory.findByThumbprint(thumbprint);
      const canBeNew = (): boolean => lastRead?.find(thumbprint).kind === 'unknown';
      if (isPromise(asked) && canBeNew()) {
        return { kind: 'unavailable', cause: `the directory of '${id}' is being asked`, final: () => asked };
      }
      return andThen(asked, (lookup) =>
        lookup.kind === 'unavailable' && canBeNew() ? { ...lookup, final: () => lookup } : lookup,
      );
    },
    statusOf: (name) => (name === agent.value.id ? agent.value.status : 'unknown'),
  });
}

const nobody: AgentSet = { find: () => ({ kind: 'unknown' }), statusOf: () => 'unknown' };

function addressOf(url: URL): URL {
  return url.pathname === '/' ? new URL(wellKnownPath, url) : url;
}

function setOf(agent: Agent, { keys, skipped }: SignatureDirectory): Reading<RemoteAgents> {
  const read = createAgentSet([{ agent, keys }]);
  return read.ok ? { ok: true, value: { at: () => read.set, keyCount: keys.length, skipped } } : read;
}
