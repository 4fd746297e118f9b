import type { Reading } from '@countersign/common';

/** What is held now. The generation changes whenever the value does. */
export type Held<T> =
  | { readonly kind: 'held'; readonly value: T; readonly generation: number }
  | { readonly kind: 'unavailable'; readonly cause: string };

/** Something that others can change, as we last saw it. */
export interface Source<T> {
  /** What is held, after a refresh if it is due. */
  current(nowSeconds: number): Held<T> | Promise<Held<T>>;
  /** The same after something was not found in it, which may mean that it is new there; unavailable if nobody can tell. */
  afterMiss(nowSeconds: number): Held<T> | Promise<Held<T>>;
}

/** What came over the network: a JSON value, as it was read. */
type Fetched<Json> = { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly problem: string };

export interface CachedRemoteOptions<T, Json = unknown> {
  readonly fetch: () => Promise<Fetched<Json>>;
  readonly read: (json: Json) => Reading<T>;
  /** How long a fetched value counts without another look. */
  readonly maxAgeSeconds: number;
  /** How long it counts while it cannot be fetched again. */
  readonly maxStaleSeconds: number;
  /** Told of every refresh. It must not throw. */
  readonly onRefresh?: (result: Reading<T>) => void;
}

/** Least time between two fetches when something was not found: unknown names must not steer our requests. */
const coolDownSeconds = 30;
/** Least time between two attempts while the server is down. */
const retrySeconds = 5;

/**
 * A remote document behind a cache. What its server drops stops counting after `maxAgeSeconds`; what its server cannot
 * be asked about goes on counting for `maxStaleSeconds`. One fetch at a time, started early enough that under steady
 * use nobody waits for it. Never rejects.
 */
export class CachedRemote<T, Json = unknown> implements Source<T> {
  readonly #options: CachedRemoteOptions<T, Json>;
  #held: { readonly value: T; readonly text: string; readonly since: number } | undefined;
  #generation = 0;
  #flight: Promise<void> | undefined;
  #lastAttempt: number | undefined;
  #failure: string | undefined;

  constructor(options: CachedRemoteOptions<T, Json>) {
    this.#options = options;
  }

  async current(now: number): Promise<Held<T>> {
    const age = this.#held === undefined ? Infinity : elapsed(this.#held.since, now);
    const { maxAgeSeconds, maxStaleSeconds } = this.#options;
    if (age <= maxAgeSeconds / 2) return this.#snapshot(now);

    // A server that was down a moment ago is asked in the background, so that it does not slow every request.
    const knownDown = this.#failure !== undefined && this.#triedWithin(coolDownSeconds, now);
    const refresh = this.#refreshUnlessTriedWithin(this.#failure === undefined ? 1 : retrySeconds, now);
    if (age > (knownDown ? maxStaleSeconds : maxAgeSeconds)) await refresh;
    return this.#snapshot(now);
  }

  async afterMiss(now: number): Promise<Held<T>> {
    await this.#refreshUnlessTriedWithin(this.#failure === undefined ? coolDownSeconds : retrySeconds, now);
    // It may have been added since: while nobody can look, what is missing is not unknown.
    return this.#failure === undefined ? this.#snapshot(now) : { kind: 'unavailable', cause: this.#failure };
  }

  #snapshot(now: number): Held<T> {
    const held = this.#held;
    if (held === undefined || elapsed(held.since, now) > this.#options.maxStaleSeconds) {
      return { kind: 'unavailable', cause: this.#failure ?? 'it was not fetched in time' };
    }
    return { kind: 'held', value: held.value, generation: this.#generation };
  }

  #triedWithin(seconds: number, now: number): boolean {
    return this.#lastAttempt !== undefined && elapsed(this.#lastAttempt, now) < seconds;
  }

  async #refreshUnlessTriedWithin(seconds: number, now: number): Promise<void> {
    if (this.#flight === undefined) {
      if (this.#triedWithin(seconds, now)) return;
      this.#lastAttempt = now;
      this.#flight = this.#refresh(now).finally(() => {
        this.#flight = undefined;
      });
    }
    await this.#flight;
  }

  async #refresh(now: number): Promise<void> {
    const fetched = await this.#options.fetch();
    const read = fetched.ok ? this.#options.read(fetched.json) : fetched;
    if (fetched.ok && read.ok) {
      const text = JSON.stringify(fetched.json);
      if (text !== this.#held?.text) this.#generation += 1;
      this.#held = { value: read.value, text, since: now };
    }
    this.#failure = read.ok ? undefined : read.problem;
    this.#options.onRefresh?.(read);
  }
}

/** A clock that was set back leaves no age to rely on. */
function elapsed(since: number, now: number): number {
  return now < since ? Infinity : now - since;
}
