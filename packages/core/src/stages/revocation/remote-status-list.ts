import type { Reading } from '@countersign/common';
import type { StatusList } from './status-list.js';
import type { StatusListToken } from './status-list-token.js';

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
/** Least time between two fetches for an index beyond the end. */
const coolDownSeconds = 30;
/** Least time between two attempts while no usable list is served. */
const retrySeconds = 5;

/**
 * One cached status list. It is used for its `ttl` and until its `exp`, whichever ends first. One fetch at a time starts
 * at half of that time, so that under steady use no request waits for it. Never rejects.
 */
export class RemoteStatusList {
  readonly #options: RemoteStatusListOptions;
  #newest: number;
  #held: { readonly token: StatusListToken; readonly since: number } | undefined;
  #flight: Promise<void> | undefined;
  #lastAttempt: number | undefined;
  #failure: string | undefined;

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
    const waitFrom = this.#failure === undefined ? due : due + staleSeconds;
    const refreshed = this.#refreshUnlessTriedWithin(this.#failure === undefined ? 1 : retrySeconds, now);
    if (now < from || now >= waitFrom) await refreshed;
    return this.#snapshot(now);
  }

  /** The list after an index beyond its end, which may mean that it has grown. */
  async afterMiss(now: number): Promise<Reading<StatusList>> {
    await this.#refreshUnlessTriedWithin(this.#failure === undefined ? coolDownSeconds : retrySeconds, now);
    // The list may have grown: without a fetch, the token cannot be refused.
    return this.#failure === undefined ? this.#snapshot(now) : { ok: false, problem: this.#failure };
  }

  #snapshot(now: number): Reading<StatusList> {
    const { from, due } = this.#period();
    if (this.#held === undefined || now < from || now >= due + this.#options.staleSeconds) {
      return { ok: false, problem: this.#failure ?? 'it was not fetched in time' };
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

  async #refreshUnlessTriedWithin(seconds: number, now: number): Promise<void> {
    if (this.#flight === undefined) {
      const last = this.#lastAttempt;
      if (last !== undefined && now >= last && now - last < seconds) return;
      this.#lastAttempt = now;
      this.#flight = this.#refresh(now).finally(() => {
        this.#flight = undefined;
      });
    }
    await this.#flight;
  }

  async #refresh(now: number): Promise<void> {
    const fetched = await this.#options.fetch(now);
    if (!fetched.ok) {
      this.#failure = fetched.problem;
    } else if (fetched.value.issuedAt < this.#newest) {
      // An older list could undo a revocation.
      this.#failure = 'it is older than the one before';
    } else {
      this.#failure = undefined;
      this.#held = { token: fetched.value, since: now };
      this.#newest = fetched.value.issuedAt;
    }
  }
}
