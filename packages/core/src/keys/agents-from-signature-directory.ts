import { ConfigError, type Reading } from '@countersign/common';
import { boundsItself } from './bounded-directory.js';
import { createAgentSet } from './agent-set.js';
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
 * `agentsFromJwks`.
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
  const agents = cachedAgents(settings, async (now) => {
    const fetched = await fetchSignatureDirectory(address, options, now);
    return fetched.ok ? setOf(agent.value, fetched.value) : fetched;
  });
  const directory = remoteDirectory(agents, settings);
  // Known without asking: its name is taken also while its keys cannot be fetched, and no other name ever is.
  return boundsItself({
    ...directory,
    statusOf: (name) => (name === agent.value.id ? agent.value.status : 'unknown'),
  });
}

function addressOf(url: URL): URL {
  return url.pathname === '/' ? new URL(wellKnownPath, url) : url;
}

function setOf(agent: Agent, { keys, skipped }: SignatureDirectory): Reading<RemoteAgents> {
  const read = createAgentSet([{ agent, keys }]);
  return read.ok ? { ok: true, value: { at: () => read.set, keyCount: keys.length, skipped } } : read;
}
