import { andThen, checkOptionNames, ConfigError, readClock, readListener } from '@countersign/common';
import { boundsItself } from './bounded-directory.js';
import type { AgentJwkSet, SkippedKey } from './agent-jwk-set.js';
import { CachedRemote, type CachedRemoteOptions } from '../remote/cached-remote.js';
import type { AgentDirectory } from './directory.js';
import type { RemoteOptions } from '../remote/remote-json.js';

/** How keys that others serve are kept. */
export interface RemoteDirectoryOptions extends RemoteOptions {
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
  readonly onRefresh?: (result: AgentsRefresh) => unknown;
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
] as const satisfies readonly (keyof RemoteDirectoryOptions)[];

/** The options with their defaults. */
export interface RemoteDirectorySettings {
  readonly maxAgeSeconds: number;
  readonly maxStaleSeconds: number;
  readonly onRefresh: (result: AgentsRefresh) => void;
  readonly clock: () => number;
}

/** @throws ConfigError which names `owner` and says what to do. */
export function readRemoteDirectoryOptions(
  owner: string,
  options: RemoteDirectoryOptions,
  further: readonly string[] = [],
): RemoteDirectorySettings {
  checkOptionNames(owner, options, [...optionNames, ...further]);
  const { maxAgeSeconds = 300, maxStaleSeconds = 3600, onRefresh } = options;
  if (!(maxAgeSeconds >= 1 && maxAgeSeconds <= maxStaleSeconds && maxStaleSeconds <= 86_400)) {
    throw new ConfigError(
      `${owner}: 'maxAgeSeconds' must be at least 1, 'maxStaleSeconds' not below it, and neither above 86400.`,
    );
  }
  return {
    maxAgeSeconds,
    maxStaleSeconds,
    onRefresh: readListener(owner, 'onRefresh', onRefresh, () => {}),
    clock: readClock(owner, options.clock),
  };
}

type RemoteDirectoryParts<Json> = RemoteDirectorySettings &
  Pick<CachedRemoteOptions<AgentJwkSet, Json>, 'fetch' | 'read'>;

/** A directory over a document that others serve. */
export function remoteDirectory<Json>(parts: RemoteDirectoryParts<Json>): AgentDirectory {
  const { fetch, read, maxAgeSeconds, maxStaleSeconds, onRefresh, clock } = parts;
  const remote = new CachedRemote<AgentJwkSet, Json>({
    fetch,
    read,
    maxAgeSeconds,
    maxStaleSeconds,
    onRefresh: (result) =>
      onRefresh(result.ok ? { ok: true, keyCount: result.value.keyCount, skipped: result.value.skipped } : result),
  });
  const now = (): number => clock() / 1000;

  // One fetch at a time, however many wait for it.
  return boundsItself({
    findByThumbprint: (thumbprint) =>
      andThen(remote.current(now()), (held) => {
        if (held.kind === 'unavailable') return held;
        const found = held.value.agents.find(thumbprint);
        // What is no thumbprint is in no set, however new.
        if (found.kind === 'found' || !isThumbprint(thumbprint)) return found;
        return remote
          .afterMiss(now())
          .then((fresh) => (fresh.kind === 'unavailable' ? fresh : fresh.value.agents.find(thumbprint)));
      }),
    statusOf: (id) =>
      andThen(remote.current(now()), (held) =>
        held.kind === 'unavailable' ? 'unavailable' : held.value.agents.statusOf(id),
      ),
  });
}

/** Whether this is how a SHA-256 thumbprint is written (RFC 7638 §3). */
export function isThumbprint(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}
