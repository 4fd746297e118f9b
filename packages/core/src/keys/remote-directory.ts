import { andThen, checkOptionNames, numberOption, readClock, readListener } from '@countersign/common';
import type { AgentSet } from './agent-set.js';
import { boundsItself } from './bounded-directory.js';
import { CachedRemote, type CachedRemoteOptions, type Held, type Source } from '../remote/cached-remote.js';
import type { AgentDirectory, KeyLookup } from './directory.js';
import { checkRemoteOptions, type RemoteOptions } from '../remote/remote-json.js';

/** How keys that others serve are kept. */
export interface RemoteDirectoryOptions extends RemoteOptions {
  /**
   * A key that the server drops stops counting after at most this long, as long as the server can be reached.
   * In seconds. Default 300, and 15 for `agentsFromAuthority`.
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

/** A key that was left out of a set, and why. */
export interface SkippedKey {
  /** Its place in the set, from 0. */
  readonly index: number;
  readonly agentId?: string;
  readonly problem: string;
}

/** The agents of a document that others serve. */
export interface RemoteAgents {
  /** The agents at a moment; undefined once the document no longer counts. */
  readonly at: (nowSeconds: number) => AgentSet | undefined;
  readonly keyCount: number;
  readonly skipped: readonly SkippedKey[];
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
  { further = [], maxAge = 300 }: { readonly further?: readonly string[]; readonly maxAge?: number } = {},
): RemoteDirectorySettings {
  checkOptionNames(owner, options, [...optionNames, ...further]);
  const { maxAgeSeconds = maxAge, maxStaleSeconds = 3600, onRefresh } = options;
  checkRemoteOptions(owner, options);
  numberOption(owner, 'maxAgeSeconds', maxAgeSeconds, 1, 86_400);
  numberOption(owner, 'maxStaleSeconds', maxStaleSeconds, maxAgeSeconds, 86_400);
  return {
    maxAgeSeconds,
    maxStaleSeconds,
    onRefresh: readListener(owner, 'onRefresh', onRefresh, () => {}),
    clock: readClock(owner, options.clock),
  };
}

/** The pause before a document is fetched again because of a key that is not in it. */
export interface MissPause {
  readonly seconds: () => number;
  /** Called with the moment at which the reading of the document began, by `performance.now()`. */
  readonly recordReading: (began: number) => void;
}

/** A second, since agents act as soon as they are registered. Made-up keys cost at most a twentieth of one core. */
export function createMissPause(): MissPause {
  let pause = 1;
  return {
    seconds: () => pause,
    recordReading: (began) => {
      pause = Math.min(30, Math.max(1, ((performance.now() - began) / 1000) * 20));
    },
  };
}

/** The agents of a document, as they were last fetched. */
export function cachedAgents(
  { maxAgeSeconds, maxStaleSeconds, onRefresh }: RemoteDirectorySettings,
  load: CachedRemoteOptions<RemoteAgents>['load'],
  more: Pick<CachedRemoteOptions<RemoteAgents>, 'missPause' | 'initial'> = {},
): Source<RemoteAgents> {
  return new CachedRemote<RemoteAgents>({
    load,
    ...more,
    maxAgeSeconds,
    maxStaleSeconds,
    onRefresh: (result) =>
      onRefresh(result.ok ? { ok: true, keyCount: result.value.keyCount, skipped: result.value.skipped } : result),
  });
}

/** A directory over a document that others serve. */
export function remoteDirectory(
  remote: Source<RemoteAgents>,
  { clock }: Pick<RemoteDirectorySettings, 'clock'>,
): AgentDirectory {
  const now = (): number => clock() / 1000;
  const find = (held: Held<RemoteAgents>, thumbprint: string): KeyLookup => {
    if (held.kind === 'unavailable') return held;
    return held.value.at(now())?.find(thumbprint) ?? { kind: 'unavailable', cause: 'the directory has expired' };
  };

  // One fetch at a time, however many wait for it.
  return boundsItself({
    findByThumbprint: (thumbprint) =>
      andThen(remote.current(now()), (held) => {
        const found = find(held, thumbprint);
        // What is no thumbprint is in no set, however new.
        if (found.kind !== 'unknown' || !isThumbprint(thumbprint)) return found;
        return andThen(remote.afterMiss(now()), (fresh) => find(fresh, thumbprint));
      }),
    statusOf: (id) =>
      andThen(remote.current(now()), (held) =>
        held.kind === 'unavailable' ? 'unavailable' : (held.value.at(now())?.statusOf(id) ?? 'unavailable'),
      ),
  });
}

/** Whether this is how a SHA-256 thumbprint is written (RFC 7638 §3). */
export function isThumbprint(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}
