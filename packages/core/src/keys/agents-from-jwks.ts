import { checkOptionNames, ConfigError } from '../config-error.js';
import { type AgentJwkSet, readAgentJwkSet, type SkippedKey } from './agent-jwk-set.js';
import { CachedRemote } from './cached-remote.js';
import type { AgentDirectory } from './directory.js';
import { fetchJson, type RemoteOptions, readRemoteUrl } from './remote-json.js';

export interface AgentsFromJwksOptions extends RemoteOptions {
  /**
   * A key that the server drops stops counting after at most this long, as long as the server can be reached.
   * In seconds. Default 300.
   */
  readonly maxAgeSeconds?: number;
  /**
   * How long keys go on counting while the server cannot be reached, or sends what cannot be read; from then on every
   * lookup is `unavailable`. In seconds. Default 3600.
   */
  readonly maxStaleSeconds?: number;
  /** Told of every refresh: what was read and what was left out, or why the keys held before stay in force. */
  readonly onRefresh?: (result: AgentsRefresh) => void;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

export type AgentsRefresh =
  | { readonly ok: true; readonly keyCount: number; readonly skipped: readonly SkippedKey[] }
  | { readonly ok: false; readonly problem: string };

const optionNames = [
  'maxAgeSeconds',
  'maxStaleSeconds',
  'onRefresh',
  'clock',
  'dangerouslyAllowHttp',
  'dangerouslyAllowPrivateAddresses',
] as const satisfies readonly (keyof AgentsFromJwksOptions)[];

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
export function agentsFromJwks(url: string, options: AgentsFromJwksOptions = {}): AgentDirectory {
  checkOptionNames('agentsFromJwks', options, optionNames);
  const { maxAgeSeconds = 300, maxStaleSeconds = 3600, onRefresh, clock = Date.now } = options;
  checkAges(maxAgeSeconds, maxStaleSeconds);
  const address = readRemoteUrl('agentsFromJwks', url, options);
  const remote = new CachedRemote<AgentJwkSet>({
    fetch: () => fetchJson(address, options),
    read: readAgentJwkSet,
    maxAgeSeconds,
    maxStaleSeconds,
    ...(onRefresh !== undefined && {
      onRefresh: (result) =>
        onRefresh(result.ok ? { ok: true, keyCount: result.value.keyCount, skipped: result.value.skipped } : result),
    }),
  });
  const now = (): number => clock() / 1000;

  return {
    async findByThumbprint(thumbprint) {
      const held = await remote.current(now());
      if (held.kind === 'unavailable') return held;
      const found = held.value.agents.find(thumbprint);
      // What is no SHA-256 thumbprint is in no set, however new.
      if (found.kind === 'found' || !/^[A-Za-z0-9_-]{43}$/.test(thumbprint)) return found;
      const refreshed = await remote.afterMiss(now());
      return refreshed.kind === 'unavailable' ? refreshed : refreshed.value.agents.find(thumbprint);
    },
    async hasAgent(id) {
      const held = await remote.current(now());
      return held.kind === 'unavailable' ? 'unavailable' : held.value.agents.has(id);
    },
  };
}

function checkAges(maxAgeSeconds: number, maxStaleSeconds: number): void {
  if (!(maxAgeSeconds >= 1 && maxAgeSeconds <= maxStaleSeconds && maxStaleSeconds <= 86_400)) {
    throw new ConfigError(
      "agentsFromJwks: 'maxAgeSeconds' must be at least 1, 'maxStaleSeconds' not below it, and neither above 86400.",
    );
  }
}
