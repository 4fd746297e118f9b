import { Attempts, type Reading } from '@countersign/common';
import type { StatusList, StatusListToken } from './status-list-token.js';

export interface RemoteStatusListOptions {
  /** Fetches and verifies the list. Never rejects. */
  readonly fetch: (now: number) => Promise<Reading<StatusListToken>>;
  /** Time of issue of the newest list that was held and evicted before. */
  readonly newest: number | undefined;
  /** How long the list is used after its expiry, while no other can be fetched. */
  readonly staleSeconds: number;
  readonly clockSkewSeconds: number;
}

/** Seconds until the next fetch without a `ttl`, and the bounds of a `ttl`. The maximum is the default lifetime of tokens. */
const ttl = { byDefault: 300, least: 1, most: 3600 };

/**
 * One cached status list. It is used for its `ttl` and until its `exp`, whichever ends first. One fetch at a time starts
 * at half of that time, so that under steady use no request waits for it. Never rejects.
 */
export class RemoteStatusList {
  readonly #options: RemoteStatusListOptions;
  #newest: number;
  #held: { readonly token: StatusListToken; readonly since: number } | undefined;
  readonly #attempts = new Attempts();

  constructor(options: RemoteStatusListOptions) {
    this.#options = options;
    this.#newest = options.newest ?? -Infinity;
  }

  /** Time of issue of the newest list that was ever held. */
  get newest(): number {
    return this.#newest;
  }

  /** Bytes held in memory. */
  get size(): number {
    return this.#held?.token.list.bytes.length ?? 0;
  }

  async current(now: number): Promise<Reading<StatusList>> {
    const { from, due } = this.#period();
    if (now >= from && now < from + (due - from) / 2) return this.#snapshot(now);
    const { staleSeconds } = this.#options;
    // After a failure, fetch in the background, so that a server that is down does not slow every request.
    const waitFrom = this.#attempts.failure === undefined ? due : due + staleSeconds;
    const refreshed = this.#attempts.run('due', now, this.#refresh);
    if (now < from || now >= waitFrom) await refreshed;
    return this.#snapshot(now);
  }

  /** The list after an index beyond its end, which may mean that it has grown. */
  async afterMiss(now: number): Promise<Reading<StatusList>> {
    await this.#attempts.run('miss', now, this.#refresh);
    // The list may have grown: without a fetch, the token cannot be refused.
    const { failure } = this.#attempts;
    return failure === undefined ? this.#snapshot(now) : { ok: false, problem: failure };
  }

  #snapshot(now: number): Reading<StatusList> {
    const { from, due } = this.#period();
    if (this.#held === undefined || now < from || now >= due + this.#options.staleSeconds) {
      return { ok: false, problem: this.#attempts.failure ?? 'it was not fetched in time' };
    }
    return { ok: true, value: this.#held.token.list };
  }

  /** The period in which the list is fresh. A clock that was set back is before it. */
  #period(): { readonly from: number; readonly due: number } {
    if (this.#held === undefined) return { from: Infinity, due: Infinity };
    const { since, token } = this.#held;
    const { ttlSeconds = ttl.byDefault, expiresAt = Infinity } = token;
    const fetchAgain = since + Math.min(Math.max(ttlSeconds, ttl.least), ttl.most);
    return { from: since, due: Math.min(fetchAgain, expiresAt + this.#options.clockSkewSeconds) };
  }

  readonly #refresh = async (now: number): Promise<string | undefined> => {
    const fetched = await this.#options.fetch(now);
    if (!fetched.ok) return fetched.problem;
    // An older list could undo a revocation.
    if (fetched.value.issuedAt < this.#newest) return 'it is older than the one before';
    this.#held = { token: fetched.value, since: now };
    this.#newest = fetched.value.issuedAt;
    return undefined;
  };
}
