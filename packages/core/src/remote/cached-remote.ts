import { Attempts, type Awaitable, elapsedSince, type Reading } from '@countersign/common';
import type { RemoteJson } from './remote-json.js';

/** What is held now. The generation changes whenever the value does. */
export type Held<T> =
  | { readonly kind: 'held'; readonly value: T; readonly generation: number }
  | { readonly kind: 'unavailable'; readonly cause: string };

/** Something that others can change, as we last saw it. */
export interface Source<T> {
  /** What is held, after a refresh if it is due. */
  current(nowSeconds: number): Awaitable<Held<T>>;
  /** The same after something was not found in it, which may mean that it is new there; unavailable if nobody can tell. */
  afterMiss(nowSeconds: number): Awaitable<Held<T>>;
}

export interface CachedRemoteOptions<T> {
  /** Fetches and reads the document. It gives the same value again for the same document, and must not reject. */
  readonly load: (nowSeconds: number) => Promise<Reading<T>>;
  /** How long a fetched value counts without another look. */
  readonly maxAgeSeconds: number;
  /** How long it counts while it cannot be fetched again. */
  readonly maxStaleSeconds: number;
  /** The seconds before another fetch because something was not found. Default 30. */
  readonly missPause?: () => number;
  /** What was loaded already, and when. */
  readonly initial?: { readonly value: T; readonly since: number };
  /** Told of every refresh. It must not throw. */
  readonly onRefresh?: (result: Reading<T>) => void;
}

/**
 * A remote document behind a cache. What its server drops stops counting after `maxAgeSeconds`; what its server cannot
 * be asked about goes on counting for `maxStaleSeconds`. One fetch at a time, started early enough that under steady
 * use nobody waits for it. Never rejects.
 */
export class CachedRemote<T> implements Source<T> {
  readonly #options: CachedRemoteOptions<T>;
  #held: { readonly value: T; readonly since: number } | undefined;
  #generation = 0;
  readonly #attempts: Attempts;

  constructor(options: CachedRemoteOptions<T>) {
    this.#options = options;
    this.#attempts = new Attempts(options.missPause);
    this.#held = options.initial;
  }

  current(now: number): Awaitable<Held<T>> {
    const age = this.#held === undefined ? Infinity : elapsedSince(this.#held.since, now);
    return age <= this.#options.maxAgeSeconds / 2 ? this.#snapshot(now) : this.#refreshed(age, now);
  }

  async #refreshed(age: number, now: number): Promise<Held<T>> {
    const { maxAgeSeconds, maxStaleSeconds } = this.#options;
    // A server that was down a moment ago is asked in the background, so that it does not slow every request.
    const isDown = this.#attempts.isDown(now);
    const refreshed = this.#attempts.run('due', now, this.#refresh);
    if (age > (isDown ? maxStaleSeconds : maxAgeSeconds)) await refreshed;
    return this.#snapshot(now);
  }

  async afterMiss(now: number): Promise<Held<T>> {
    const isDown = this.#attempts.isDown(now);
    const refreshed = this.#attempts.run('miss', now, this.#refresh);
    // Whoever makes names up must not hold requests while the server hangs.
    if (!isDown) await refreshed;
    // It may have been added since: while nobody can look, what is missing is not unknown.
    const { failure } = this.#attempts;
    return failure === undefined ? this.#snapshot(now) : { kind: 'unavailable', cause: failure };
  }

  #snapshot(now: number): Held<T> {
    const held = this.#held;
    if (held === undefined || elapsedSince(held.since, now) > this.#options.maxStaleSeconds) {
      return { kind: 'unavailable', cause: this.#attempts.failure ?? 'it was not fetched in time' };
    }
    return { kind: 'held', value: held.value, generation: this.#generation };
  }

  readonly #refresh = async (now: number): Promise<string | undefined> => {
    const loaded = await this.#options.load(now);
    if (loaded.ok) {
      if (loaded.value !== this.#held?.value) this.#generation += 1;
      this.#held = { value: loaded.value, since: now };
    }
    this.#options.onRefresh?.(loaded);
    return loaded.ok ? undefined : loaded.problem;
  };
}

/** Fetches a JSON document and reads it, unless it is the same as before: then the same value is given again. */
export function loadJson<T>(
  fetch: () => Promise<RemoteJson>,
  read: (json: unknown) => Reading<T>,
): () => Promise<Reading<T>> {
  let last: { readonly text: string; readonly value: T } | undefined;
  return async () => {
    const fetched = await fetch();
    if (!fetched.ok) return fetched;
    const text = JSON.stringify(fetched.json);
    if (last?.text === text) return { ok: true, value: last.value };
    const value = read(fetched.json);
    if (value.ok) last = { text, value: value.value };
    return value;
  };
}
