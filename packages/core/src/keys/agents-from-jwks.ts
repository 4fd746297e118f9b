import { readAgentJwkSet } from './agent-jwk-set.js';
import type { AgentDirectory } from './directory.js';
import { fetchJson, readRemoteUrl } from '../remote/remote-json.js';
import { readRemoteDirectoryOptions, remoteDirectory, type RemoteDirectoryOptions } from './remote-directory.js';

/**
 * A directory read from a JWK Set (RFC 7517 §5), whose keys carry the extra members `agent_id` and optionally
 * `capabilities`, `roles`, `owner`, `status`, and `nbf` / `exp` (or `notBefore` / `expires`, all unix seconds).
 * Fetched when first needed, over https from a public address, without redirects. A key that cannot be used is left
 * out; the same key twice is left out twice. An unknown key makes for at most one fetch in 30 seconds.
 *
 * @throws ConfigError when the URL or an option is wrong.
 *
 * @example
 * const agents = agentsFromJwks('https://agents.acme.dev/jwks.json', { maxAgeSeconds: 60 });
 */
export function agentsFromJwks(url: string, options: RemoteDirectoryOptions = {}): AgentDirectory {
  const settings = readRemoteDirectoryOptions('agentsFromJwks', options);
  const address = readRemoteUrl('agentsFromJwks', url, options);
  return remoteDirectory({ ...settings, fetch: () => fetchJson(address, options), read: readAgentJwkSet });
}
