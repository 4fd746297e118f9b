import type { Reading } from '@countersign/common';
import type { StatusList } from './status-list.js';
import type { StatusListToken } from './status-list-token.js';

export interface RemoteStatusListOptions {
  /** Fetches and verifies. Never rejects. */
  readonly fetch: (now: number) => Promise<Reading<StatusListToken>>;
  /** When a list that was held before, and forgotten, was issued. */
  readonly newest: number | undefined;
  /** How long it goes on counting when it is due for another look, and none can be had. */
  readonly staleSeconds: number;
  readonly clockSkewSeconds: number;
}

/** When we look again: without a `ttl`, and at the earliest and the latest whatever it is. Tokens live an hour by default. */
const ttl = { byDefault: 300, least: 1, most: 3600 };
/** Least time between two fetches because of an index beyond the end. */
const coolDownSeconds = 30;
/** Least time between two attempts while no usable list is served. */
const retrySeconds = 5;

/**
 * One status list behind a cache. It counts for its `ttl` and until its `exp`, whichever ends first, and is then fetched
 * again; one fetch at a time, begun at half of the time, so that under steady use nobody waits for it. Never rejects.
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

  /** When the newest list was issued that this one ever held. */
  get newest(): number {
    return this.#newest;
  }

  /** Bytes held in memory. */
  get size(): number {
    return this.#held?.token.list.bytes.length ?? 0;
  }

  async current(now: number): Promise<Reading<StatusList>> {
    const { from, due } = this.#counts();
    if (now >= from && now < from + (due - from) / 2) return this.#snapshot(now);
    const { staleSeconds } = this.#options;
    // A server that was down a moment ago is asked in the background, so that it does not slow every request.
    const waitFrom = this.#failure === undefined ? due : due + staleSeconds;
    const refreshed = this.#refreshUnlessTriedWithin(this.#failure === undefined ? 1 : retrySeconds, now);
    if (now < from || now >= waitFrom) await refreshed;
    return this.#snapshot(now);
  }

  /** The same after an index was beyond the end, which may mean that the list has grown. */
  async afterMiss(now: number): Promise<Reading<StatusList>> {
    await this.#refreshUnlessTriedWithin(this.#failure === undefined ? coolDownSeconds : retrySeconds, now);
    // The list may have grown since: while nobody can look, the token is not to blame.
    return this.#failure === undefined ? this.#snapshot(now) : { ok: false, problem: this.#failure };
  }

  #snapshot(now: number): Reading<StatusList> {
    const { from, due } = this.#counts();
    if (this.#held === undefined || now < from || now >= due + this.#options.staleSeconds) {
      return { ok: false, problem: this.#failure ?? 'it was not fetched in time' };
    }
    return { ok: true, value: this.#held.token.list };
  }

  /** From when to when the list counts without another look. A clock that was set back leaves nothing to rely on. */
  #counts(): { readonly from: number; readonly due: number } {
    if (this.#held === undefined) return { from: Infinity, due: Infinity };
    const { since, token } = this.#held;
    const { ttlSeconds = ttl.byDefault, expiresAt = Infinity } = token;
    const lookAgain = since + Math.min(Math.max(ttlSeconds, ttl.least), ttl.most);
    return { from: since, due: Math.min(lookAgain, expiresAt + this.#options.clockSkewSeconds) };
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
      // Whoever serves the list could else bring back the time before a revocation.
      this.#failure = 'it is older than the one before';
    } else {
      this.#failure = undefined;
      this.#held = { token: fetched.value, since: now };
      this.#newest = fetched.value.issuedAt;
    }
  }
}
