import { errorMessage } from '@countersign/common';
import { type BoundedCalls, SharedStoreUnavailable } from './bounded-calls.js';
import type { RevocationEntry, RevocationFeed, RevocationReading } from './revocation-feed.js';

/** Most entries of one call: far fewer than overflow the stack of a driver, or than a store needs a second for. */
const pageLength = 2000;
/** A write back of another process that has come no further for so long has probably ended in the middle. */
const stalledMilliseconds = 2000;
export const losesAgain = 'the store loses revocations again and again';
const othersWriteBack = 'another process writes back the revocations that the store has lost';

/** What is known of a list before the write back. */
type ListState = Pick<RevocationReading, 'newest' | 'isWhole'>;

/**
 * Writes into a list what it lacks, in pages, each after the one before it: so all of them are there, or the list is not
 * whole. One process does so at a time, as far as they see each other.
 */
export class WriteBack {
  readonly #feed: RevocationFeed;
  readonly #calls: BoundedCalls;
  /** Since the first page that this process wrote. */
  #isOurs = false;
  /** The newest write of another process, and since when this process has seen it as the newest. */
  #theirs: { readonly mark: string; readonly since: number } | undefined;

  constructor(feed: RevocationFeed, calls: BoundedCalls) {
    this.#feed = feed;
    this.#calls = calls;
  }

  /** The newest write of the list, whether or not it is whole; undefined if there is no list. */
  async newest(): Promise<ListState | undefined> {
    const end = { version: Number.MAX_SAFE_INTEGER, name: '' };
    return await this.#calls.run(async () => await this.#feed.read(undefined, end));
  }

  /** @throws SharedStoreUnavailable while another process writes back, and was seen to come further a short while ago. */
  leaveToOthers(list: ListState | undefined): void {
    if (this.#isOurs || list === undefined || list.isWhole) return;
    const { mark } = list.newest;
    if (this.#theirs?.mark !== mark) this.#theirs = { mark, since: performance.now() };
    if (performance.now() - this.#theirs.since < stalledMilliseconds) throw new SharedStoreUnavailable(othersWriteBack);
  }

  /**
   * `list`: undefined if there is none. `onBegin` is called once for each loss.
   *
   * @throws SharedStoreUnavailable if a page was not written, or its answer was lost. The next call goes on.
   */
  async write(missing: readonly RevocationEntry[], list: ListState | undefined, onBegin: () => void): Promise<void> {
    const pages = Math.max(Math.ceil(missing.length / pageLength), list?.isWhole === true ? 0 : 1);
    let after = list?.newest;
    for (let page = 0; page < pages; page++) {
      const entries = missing.slice(page * pageLength, (page + 1) * pageLength);
      const place = { after, begins: page === 0 && pages > 1, ends: page === pages - 1 };
      const written = await this.#calls
        .run(async () => await this.#feed.writeBack({ entries, ...place }))
        .catch((error: unknown) => {
          throw new SharedStoreUnavailable(`what the store has lost cannot be written back: ${errorMessage(error)}`);
        });
      if (written === undefined) throw new SharedStoreUnavailable(after === undefined ? othersWriteBack : losesAgain);
      this.#begin(onBegin);
      after = written;
    }
    this.#begin(onBegin);
  }

  /** The list has all that is known here. */
  end(): void {
    this.#isOurs = false;
    this.#theirs = undefined;
  }

  #begin(onBegin: () => void): void {
    if (!this.#isOurs) onBegin();
    this.#isOurs = true;
  }
}
