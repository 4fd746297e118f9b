import { ConfigError, errorMessage, FailureThrottle } from '@countersign/common';
import { type Revocable, revocationKey } from '@countersign/core';
import { BoundedCalls, SharedStoreUnavailable } from './bounded-calls.js';
import { Frozen } from './frozen.js';
import type {
  RevocationEntry,
  RevocationFeed,
  RevocationPlace,
  RevocationReading,
  RevocationWrite,
} from './revocation-feed.js';

export interface MirrorOptions {
  /** The function that was called, for messages. */
  readonly owner: string;
  readonly maxStaleSeconds: number;
  readonly onTrouble: (message: string) => void;
}

const pollMilliseconds = 500;
const timeoutSeconds = 1;
/** A list of any length is written at once. */
const writeBackSeconds = 60;
const endedSeconds = 3600;
/** Stores forget the marks of writes after a day. */
const marksAreSureMilliseconds = 12 * 3_600_000;
const losesAgain = 'the store loses revocations again and again';

/**
 * A copy of the shared revocations in this process, so that no request waits for the store. It polls, at once after a
 * notice; if it has not been right for too long, it refuses to answer.
 */
export class RevocationMirror {
  readonly #feed: RevocationFeed;
  readonly #options: MirrorOptions;
  readonly #calls = new BoundedCalls('the store of revocations', timeoutSeconds);
  readonly #longCalls = new BoundedCalls('the store of revocations', writeBackSeconds);
  readonly #revoked = new Map<string, number>();
  readonly #frozen = new Frozen();
  readonly #trouble = new FailureThrottle(() => performance.now());
  /** The newest write that is known here. */
  #known: RevocationWrite | undefined;
  /** When the last successful poll was sent, since what is written later may be missing. */
  #rightAt = -Infinity;
  /** The same by the clock of the machine, which goes on while it is suspended. */
  #rightAtByClock = 0;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watch: { close(): Promise<void> } | undefined;
  #isClosed = false;

  constructor(feed: RevocationFeed, options: MirrorOptions) {
    this.#feed = feed;
    this.#options = options;
  }

  /** @throws ConfigError if the first reading fails: a process must not begin without knowing what is revoked. */
  async open(hintIfEmpty: string): Promise<void> {
    const { owner } = this.#options;
    const first = await this.#read(undefined).catch((error: unknown) => {
      throw new ConfigError(`${owner}: the revocations cannot be read: ${errorMessage(error)}`);
    });
    if (!first) throw new ConfigError(`${owner}: ${hintIfEmpty}`);
    this.#watch = this.#feed.watch(() => this.#pollNow());
    this.#schedule();
  }

  find(named: readonly Revocable[], nowSeconds: number): Revocable | undefined {
    if (!(performance.now() - this.#rightAt < this.#options.maxStaleSeconds * 1000)) {
      throw new SharedStoreUnavailable('the revocations known here are too old');
    }
    const frozen = this.#frozen.find(named);
    if (frozen !== undefined || this.#revoked.size === 0) return frozen;
    return named.find((one) => nowSeconds < (this.#revoked.get(revocationKey(one)) ?? -Infinity));
  }

  entries(): readonly RevocationEntry[] {
    const revoked = [...this.#revoked].map(([name, until]) => ({
      name,
      until: until === Infinity ? undefined : until,
      inForce: true,
    }));
    return [...revoked, ...this.#frozen.names().map((name) => ({ name, until: undefined, inForce: true }))];
  }

  /** Writes an entry. It is in force here once this resolves, and soon in the other processes. */
  async write(entry: RevocationEntry): Promise<void> {
    // The second time if the store had lost revocations: the poll has written them back.
    if ((await this.#writeOnce(entry)) || (await this.#writeOnce(entry))) return;
    throw new SharedStoreUnavailable(losesAgain);
  }

  /** Resolves once a reading that began after this call has ended; rejects if it failed. */
  async poll(): Promise<void> {
    if (this.#running !== undefined) {
      this.#next ??= this.#running
        .catch(() => undefined)
        .then(async () => {
          this.#next = undefined;
          await this.poll();
        });
      return await this.#next;
    }
    this.#running = this.#pollOnce().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#watch?.close(), this.#running?.catch(() => undefined)]);
  }

  /** @returns false if the store has lost revocations, this one among them. */
  async #writeOnce(entry: RevocationEntry): Promise<boolean> {
    const known = this.#known;
    if (known === undefined) throw new SharedStoreUnavailable('the revocations are not known yet');
    const written = await this.#calls.run(async () => await this.#feed.write([entry], known));
    await this.poll();
    if (written === undefined) return false;
    if (this.#known?.mark === written.mark) return true;
    // Others wrote too, or the store lost this write before it was read.
    return (await this.#calls.run(async () => await this.#feed.read(written))) !== undefined;
  }

  async #pollOnce(): Promise<void> {
    if (await this.#read(this.#known)) return;
    // What looks like a loss may be what this process has slept through.
    const sleptLong = Date.now() - this.#rightAtByClock > marksAreSureMilliseconds;
    if (!sleptLong || !(await this.#readAnew())) await this.#writeBack();
  }

  /** Learns the list as if this process had just begun, and answers nothing meanwhile. @returns false if there is none. */
  async #readAnew(): Promise<boolean> {
    const known = this.entries();
    this.#rightAt = -Infinity;
    this.#revoked.clear();
    this.#frozen.clear();
    let isRead = false;
    try {
      isRead = await this.#read(undefined);
    } finally {
      if (!isRead) for (const entry of known) this.#apply(entry);
    }
    return isRead;
  }

  /** @returns false if the store has lost revocations. */
  async #read(after: RevocationWrite | undefined): Promise<boolean> {
    const sent = performance.now();
    const first = await this.#readPage(after);
    if (first === undefined) return false;
    if (first.next === undefined) {
      this.#known = first.newest;
      this.#rightAt = sent;
      this.#rightAtByClock = Date.now();
      if (first.entries.length > 0) this.#sweep();
      return true;
    }
    for (let page: RevocationReading | undefined = first; page.next !== undefined; ) {
      page = await this.#readPage(after, page.next);
      if (page === undefined) return false;
    }
    // Pages take a while: what was written meanwhile, and whether it is still the same list.
    return await this.#read(first.newest);
  }

  async #readPage(after: RevocationWrite | undefined, from?: RevocationPlace): Promise<RevocationReading | undefined> {
    const reading = await this.#calls.run(async () => await this.#feed.read(after, from));
    for (const entry of reading?.entries ?? []) this.#apply(entry);
    return reading;
  }

  /** The store was emptied or set back: what is known here must not be forgotten there. Nothing is forgotten here. */
  async #writeBack(): Promise<void> {
    const known = this.entries();
    this.#options.onTrouble(
      `${this.#options.owner}: the store has lost revocations; this process writes back the ${known.length} that it knows`,
    );
    const written = await this.#longCalls.run(async () => await this.#feed.writeBack(known));
    const isRead = await this.#read(undefined);
    // A list that lost this write while everything was read does not contain it: the next poll finds that out.
    this.#known = written;
    if (!isRead || !(await this.#read(written))) throw new SharedStoreUnavailable(losesAgain);
  }

  #apply({ name, until, inForce }: RevocationEntry): void {
    if (this.#frozen.set(name, inForce)) return;
    if (inForce) this.#revoked.set(name, until ?? Infinity);
    else this.#revoked.delete(name);
  }

  /** Entries that ended long ago by any clock. */
  #sweep(): void {
    const before = Date.now() / 1000 - endedSeconds;
    for (const [name, until] of this.#revoked) if (until < before) this.#revoked.delete(name);
  }

  #schedule(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#pollNow(), pollMilliseconds);
    // The server keeps the process alive, not this.
    this.#timer.unref();
  }

  #pollNow(): void {
    if (this.#isClosed) return;
    this.poll()
      .then(
        () => {
          const ended = this.#trouble.recordSuccess();
          if (ended > 0) this.#options.onTrouble(`${this.#options.owner}: the revocations can be read again`);
        },
        (error: unknown) => {
          if (!this.#trouble.recordFailure()) return;
          const { owner, onTrouble } = this.#options;
          onTrouble(`${owner}: the revocations cannot be read (${this.#trouble.timesText}): ${errorMessage(error)}`);
        },
      )
      .finally(() => this.#schedule());
  }
}
