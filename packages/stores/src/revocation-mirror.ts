import { ConfigError, errorMessage, FailureThrottle } from '@countersign/common';
import type { Revocable } from '@countersign/core';
import { BoundedCalls, SharedStoreUnavailable } from './bounded-calls.js';
import { changeSeconds } from './changes.js';
import { RevocationCopy } from './revocation-copy.js';
import type {
  RevocationEntry,
  RevocationFeed,
  RevocationPlace,
  RevocationReading,
  RevocationWrite,
} from './revocation-feed.js';
import { losesAgain, WriteBack } from './write-back.js';

export interface MirrorOptions {
  /** The function that was called, for messages. */
  readonly owner: string;
  readonly maxStaleSeconds: number;
  readonly onTrouble: (message: string) => void;
}

const pollMilliseconds = 500;
/** Stores forget the marks of writes after a day. */
const marksAreSureMilliseconds = 12 * 3_600_000;
const unfinished =
  'the store has lost revocations, and the process that writes them back has not come to its end. Start again. If none ' +
  'of the processes that know them runs any more, restore the store, or delete the list, begin it anew and revoke again.';

/** A list that was read to its end. */
interface Reading extends Pick<RevocationReading, 'newest' | 'isWhole'> {
  /** Of `performance.now()`, before its last page was asked for. */
  readonly sentAt: number;
}

/**
 * A copy of the shared revocations in this process, so that no request waits for the store. It polls, at once after a
 * notice; if it has not been right for too long, it refuses to answer.
 */
export class RevocationMirror {
  readonly #feed: RevocationFeed;
  readonly #options: MirrorOptions;
  readonly #calls = new BoundedCalls('the store of revocations', changeSeconds);
  readonly #writeBack: WriteBack;
  #copy = new RevocationCopy();
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
    this.#writeBack = new WriteBack(feed, this.#calls);
  }

  /** @throws ConfigError if the first reading fails: a process must not begin without knowing what is revoked. */
  async open(hintIfEmpty: string): Promise<void> {
    const { owner } = this.#options;
    const list = await this.#start().catch((error: unknown) => {
      throw new ConfigError(`${owner}: the revocations cannot be read: ${errorMessage(error)}`);
    });
    if (list !== 'whole') throw new ConfigError(`${owner}: ${list === 'unfinished' ? unfinished : hintIfEmpty}`);
    this.#watch = this.#feed.watch(() => this.#pollNow());
    this.#schedule();
  }

  find(named: readonly Revocable[], nowSeconds: number): Revocable | undefined {
    if (this.#isClosed) throw new SharedStoreUnavailable('the revocations are closed');
    if (!(performance.now() - this.#rightAt < this.#options.maxStaleSeconds * 1000)) {
      throw new SharedStoreUnavailable('the revocations known here are too old');
    }
    return this.#copy.find(named, nowSeconds);
  }

  entries(): readonly RevocationEntry[] {
    return this.#copy.entries();
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
    return (await this.#calls.run(async () => await this.#feed.read(written)))?.isWhole === true;
  }

  async #start(): Promise<'whole' | 'unfinished' | 'none'> {
    if (await this.#follow(undefined)) return 'whole';
    return (await this.#writeBack.newest())?.isWhole === false ? 'unfinished' : 'none';
  }

  async #pollOnce(): Promise<void> {
    if (await this.#follow(this.#known)) return;
    // What looks like a loss may be what this process has slept through.
    const sleptLong = Date.now() - this.#rightAtByClock > marksAreSureMilliseconds;
    if (!sleptLong || !(await this.#readAnew())) await this.#restoreList();
  }

  /** Learns the list as if this process had just begun, and answers nothing meanwhile. @returns false if there is none. */
  async #readAnew(): Promise<boolean> {
    this.#rightAt = -Infinity;
    const anew = new RevocationCopy();
    const reading = await this.#read(undefined, anew);
    if (reading?.isWhole !== true) return false;
    this.#copy = anew;
    this.#rely(reading);
    return true;
  }

  /** Reads what was written after a write. @returns false if the store has lost revocations. */
  async #follow(after: RevocationWrite | undefined): Promise<boolean> {
    const reading = await this.#read(after, this.#copy);
    if (reading === undefined) return false;
    this.#rely(reading);
    return true;
  }

  #rely({ newest, sentAt }: Reading): void {
    this.#known = newest;
    this.#rightAt = sentAt;
    this.#rightAtByClock = Date.now();
    this.#writeBack.end();
  }

  async #read(after: RevocationWrite | undefined, copy: RevocationCopy): Promise<Reading | undefined> {
    const sentAt = performance.now();
    const first = await this.#readPage(copy, after);
    if (first === undefined) return undefined;
    if (first.next === undefined) {
      if (first.entries.length > 0) copy.sweep();
      return { ...first, sentAt };
    }
    for (let page: RevocationReading | undefined = first; page.next !== undefined; ) {
      page = await this.#readPage(copy, after, page.next);
      if (page === undefined) return undefined;
    }
    // Pages take a while: what was written meanwhile, and whether it is still the same list.
    return await this.#read(first.newest, copy);
  }

  async #readPage(
    copy: RevocationCopy,
    after: RevocationWrite | undefined,
    from?: RevocationPlace,
  ): Promise<RevocationReading | undefined> {
    const reading = await this.#calls.run(async () => await this.#feed.read(after, from));
    // A list that is not whole counts as lost for all who decide by it.
    if (reading === undefined || (!reading.isWhole && copy === this.#copy)) return undefined;
    for (const entry of reading.entries) copy.apply(entry);
    return reading;
  }

  /**
   * The store was emptied or set back: what is known here must not be forgotten there. Only what the list lacks is written,
   * so that a write whose answer was lost is not repeated. Nothing is forgotten here.
   */
  async #restoreList(): Promise<void> {
    this.#writeBack.leaveToOthers(await this.#writeBack.newest());
    const held = new RevocationCopy();
    const list = await this.#read(undefined, held);
    // Another process may have begun meanwhile.
    this.#writeBack.leaveToOthers(list);
    const missing = this.#copy.missingIn(list === undefined ? new RevocationCopy() : held);
    await this.#writeBack.write(missing, list, () => this.#reportLoss(missing.length));
    if (list !== undefined) {
      for (const entry of missing) held.apply(entry);
      this.#copy = held;
    }
    if (!(await this.#follow(list?.newest))) throw new SharedStoreUnavailable(losesAgain);
  }

  #reportLoss(missing: number): void {
    const { owner, onTrouble } = this.#options;
    const known = this.entries().length;
    onTrouble(
      `${owner}: the store has lost revocations; this process writes back ${missing} of the ${known} that it knows`,
    );
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
