import { ConfigError } from '../errors/config-error.js';
import { warn } from '../options/listener.js';
import { readClock } from '../options/read-clock.js';
import { messageOf, errorMessage } from '../errors/error-message.js';
import type { FileSet } from './file-set.js';
import { onChange } from './on-change.js';

export type ReloadResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

export interface LiveFilesParts {
  /** The public function that reads the files, for messages. */
  readonly owner: string;
  /** Reads the whole set. A rejection counts as an outage of the file system: it is tried again. */
  readonly read: () => Promise<FileSet>;
  /** Puts a set in force. Throws (or rejects with) a ConfigError if the set is wrong; the previous one then stays in force. */
  readonly load: (set: FileSet) => void | Promise<void>;
  /** Milliseconds since the epoch, to be compared with the times of files. Default: the system's. */
  readonly clock?: () => number;
}

export interface Following {
  /** The watched folder. */
  readonly folder: string;
  readonly pollSeconds: number;
  readonly onReload: (result: ReloadResult) => void;
}

type Reading =
  | { readonly ok: true; readonly set: FileSet; readonly fingerprint: string }
  | { readonly ok: false; readonly problem: string; readonly fingerprint: typeof UNREADABLE };

/** Matches no set: after an outage every set counts as new. */
const UNREADABLE = '';

/** A set counts as complete if it has not changed for this long. */
const SETTLE_MILLISECONDS = 1000;

/** A set that changes at each of this many readings is reported. */
const MAX_READINGS = 30;

/**
 * A set of files in force. It may be read while somebody writes, so a set is loaded only after nothing in it has changed
 * for a second (docs/decisions/0025-files-that-change.md).
 */
export class LiveFiles {
  readonly #parts: LiveFilesParts;
  readonly #clock: () => number;
  /** Fingerprint of the last set that was loaded or found wrong. */
  #seen: string | undefined;
  /** One reading at a time, so that an older set never replaces a newer one. */
  #last: Promise<unknown> = Promise.resolve();
  #isCheckQueued = false;
  #closed = false;
  #stopFollowing = (): void => undefined;

  private constructor(parts: LiveFilesParts) {
    this.#parts = parts;
    this.#clock = readClock(parts.owner, parts.clock);
  }

  /** @throws ConfigError (as a rejection) when the files cannot be read, or are wrong. */
  static async open(parts: LiveFilesParts): Promise<LiveFiles> {
    const files = new LiveFiles(parts);
    const result = await files.reload();
    if (!result.ok) throw new ConfigError(`${parts.owner}: ${result.problem}`);
    return files;
  }

  /** Reads the set and puts it in force, whether it changed or not. */
  async reload(): Promise<ReloadResult> {
    return await this.#inTurn(async () => {
      const reading = await this.#read();
      const isOld = reading.ok && this.#clock() - reading.set.changedMs >= SETTLE_MILLISECONDS;
      return await this.#apply(isOld || !reading.ok ? reading : await this.#settle(reading));
    });
  }

  /** Puts each change of the files in force until `close()`. Does not keep the process alive. */
  follow({ folder, pollSeconds, onReload }: Following): void {
    this.#stopFollowing = onChange(folder, pollSeconds, () => {
      if (this.#isCheckQueued) return;
      this.#isCheckQueued = true;
      // A check that throws must not stop the watching: the next change has to take effect.
      this.#inTurn(async () => {
        this.#isCheckQueued = false;
        const result = await this.#check();
        if (result !== undefined && !this.#closed) onReload(result);
      }).catch((error: unknown) => warn(`${this.#parts.owner}: ${errorMessage(error)}`));
    });
  }

  close(): void {
    this.#closed = true;
    this.#stopFollowing();
  }

  async #check(): Promise<ReloadResult | undefined> {
    if (this.#closed) return undefined;
    const first = await this.#read();
    if (first.fingerprint === this.#seen) return undefined;
    const settled = await this.#settle(first, { following: true });
    return this.#closed || settled.fingerprint === this.#seen ? undefined : await this.#apply(settled);
  }

  /** Reads until two readings that are a second apart find the same. */
  async #settle(first: Reading, { following = false } = {}): Promise<Reading> {
    const isOver = (): boolean => following && this.#closed;
    let last = first;
    for (let count = 0; count < MAX_READINGS && !isOver(); count++) {
      await settling(following);
      const next = await this.#read();
      if (next.fingerprint === last.fingerprint) return next;
      last = next;
    }
    return { ok: false, problem: 'the files change all the time.', fingerprint: UNREADABLE };
  }

  async #apply(reading: Reading): Promise<ReloadResult> {
    this.#seen = reading.fingerprint;
    if (!reading.ok) return { ok: false, problem: reading.problem };
    try {
      await this.#parts.load(reading.set);
      return { ok: true };
    } catch (error) {
      if (error instanceof ConfigError) return { ok: false, problem: error.message };
      throw error;
    }
  }

  async #read(): Promise<Reading> {
    try {
      const set = await this.#parts.read();
      return { ok: true, set, fingerprint: JSON.stringify([...set.digests]) };
    } catch (error) {
      return { ok: false, problem: messageOf(error), fingerprint: UNREADABLE };
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** Only an explicit reload keeps the process alive, not following. */
async function settling(following: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, SETTLE_MILLISECONDS);
    if (following) timer.unref();
  });
}
