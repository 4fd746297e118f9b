import { randomUUID } from 'node:crypto';
import { ConfigError } from '../errors/config-error.js';
import { warn } from '../options/listener.js';
import { readClock } from '../options/read-clock.js';
import { messageOf, errorMessage } from '../errors/error-message.js';
import { oneAtATime } from '../time/one-at-a-time.js';
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
  /** Whether a half-written set is always wrong, as half a JSON file is. A set that is right is then loaded at once. */
  readonly isWholeOrWrong?: boolean;
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

/**
 * After so many readings a quarter of that is enough for a change: one that takes a revocation or a forbid into force must
 * not wait for ever, because somebody changes something every second. A start has nothing in force, and goes on waiting.
 */
const IMPATIENT_AFTER = 10;

/** A set that changes at each of this many readings is reported. */
const MAX_READINGS = 30;

const CLOSED = 'it was closed, so its files are not followed. Open it again.';

/** A trouble that lasts is reported again after this long. */
const REPEAT_MILLISECONDS = 60_000;

/**
 * A set of files in force. It may be read while somebody writes, so a set of which a part could be valid is loaded only
 * after nothing in it has changed for a second (docs/decisions/0025-files-that-change.md).
 */
export class LiveFiles {
  readonly #parts: LiveFilesParts;
  readonly #clock: () => number;
  /** Fingerprint of the last set that was loaded or found wrong. */
  #seen: string | undefined;
  /** One reading at a time, so that an older set never replaces a newer one. */
  readonly #inTurn = oneAtATime();
  /** The problem that was last reported, as long as it lasts. */
  #trouble: { readonly problem: string; readonly reportedAt: number } | undefined;
  /**
   * Settles a second after the last load, so that a set that changes all the time is not parsed all the time; or a quarter
   * of that after a reading that found nothing new, for sets beside a log or a database that is written all the time.
   */
  #pause: Promise<void> | undefined;
  #isCheckQueued = false;
  /** Calls that wait for their turn. They see to changes by themselves, so a check before them ends without waiting. */
  #waitingCalls = 0;
  #endWait = (): void => undefined;
  #closed = false;
  #checkSoon = (): void => undefined;
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

  /** Reads the set and puts it in force, whether it changed or not. Keeps the process alive meanwhile. */
  async reload(): Promise<ReloadResult> {
    return await this.#next(async () => {
      if (this.#closed) return { ok: false, problem: CLOSED };
      const reading = await this.#read();
      const isOld = reading.ok && this.#clock() - reading.set.changedMs >= SETTLE_MILLISECONDS;
      const result = isOld || !reading.ok ? await this.#apply(reading) : await this.#settle(reading);
      return result ?? { ok: true };
    });
  }

  /** Puts something else in force. If that succeeds, only a later change of the files takes its place. */
  async replace(put: () => Promise<ReloadResult>): Promise<ReloadResult> {
    return await this.#next(async () => {
      const before = await this.#read();
      const result = await put();
      if (!result.ok) this.#checkSoon();
      else if (before.ok) this.#seen = before.fingerprint;
      return result;
    });
  }

  /** Puts each change of the files in force until `close()`. Does not keep the process alive. */
  follow({ folder, pollSeconds, onReload }: Following): void {
    this.#checkSoon = () => {
      if (this.#isCheckQueued) return;
      this.#isCheckQueued = true;
      // A check that throws must not stop the watching: the next change has to take effect.
      this.#inTurn(async () => {
        this.#isCheckQueued = false;
        const result = await this.#check();
        if (result !== undefined && !this.#closed) onReload(result);
      }).catch((error: unknown) => warn(`${this.#parts.owner}: ${errorMessage(error)}`));
    };
    this.#stopFollowing = onChange(folder, pollSeconds, this.#checkSoon);
  }

  close(): void {
    this.#closed = true;
    this.#stopFollowing();
  }

  /** Whoever answers from the files calls this first. @throws Error once they are closed, and may have changed since. */
  checkOpen(): void {
    if (this.#closed) throw new Error(`${this.#parts.owner}: ${CLOSED}`);
  }

  /** Runs a call in its turn, for which no check goes on waiting. */
  async #next(call: () => Promise<ReloadResult>): Promise<ReloadResult> {
    this.#waitingCalls += 1;
    this.#endWait();
    return await this.#inTurn(async () => {
      this.#waitingCalls -= 1;
      return await call();
    });
  }

  async #check(): Promise<ReloadResult | undefined> {
    if (this.#pause !== undefined) await this.#wait(this.#pause);
    if (this.#isObsolete) return undefined;
    const first = await this.#read();
    if (first.fingerprint !== this.#seen) return await this.#settle(first, { following: true });
    this.#pause = passing(SETTLE_MILLISECONDS / 4, true);
    return this.#lastingTrouble();
  }

  /** Loads the set once two readings that are a second apart find the same. Undefined: there is nothing to report. */
  async #settle(first: Reading, { following = false } = {}): Promise<ReloadResult | undefined> {
    let last = first;
    for (let count = 0; count < MAX_READINGS; count++) {
      if (this.#parts.isWholeOrWrong === true && (await this.#isLoaded(last))) return { ok: true };
      const isImpatient = following && count >= IMPATIENT_AFTER;
      const settling = passing(isImpatient ? SETTLE_MILLISECONDS / 4 : SETTLE_MILLISECONDS, following);
      await (following ? this.#wait(settling) : settling);
      if (following && this.#isObsolete) return undefined;
      const next = await this.#read();
      if (next.fingerprint === last.fingerprint) {
        return following && next.fingerprint === this.#seen ? this.#lastingTrouble() : await this.#apply(next);
      }
      last = next;
    }
    const wasUnreadable = this.#seen === UNREADABLE;
    this.#seen = UNREADABLE;
    return following && wasUnreadable ? this.#lastingTrouble() : this.#failed('the files change all the time.');
  }

  /** Whether a check that waited need not go on. */
  get #isObsolete(): boolean {
    return this.#closed || this.#waitingCalls > 0;
  }

  /** Waits for a time, but not while a call is waiting. */
  async #wait(time: Promise<void>): Promise<void> {
    if (this.#waitingCalls > 0) return;
    const ended = new Promise<void>((resolve) => {
      this.#endWait = resolve;
    });
    await Promise.race([time, ended]);
  }

  async #apply(reading: Reading): Promise<ReloadResult> {
    this.#seen = reading.fingerprint;
    if (!reading.ok) return this.#failed(reading.problem);
    const problem = await this.#load(reading);
    return problem === undefined ? { ok: true } : this.#failed(problem);
  }

  async #isLoaded(reading: Reading): Promise<boolean> {
    return reading.ok && (await this.#load(reading)) === undefined;
  }

  /** Resolves to the problem with the set, if it is wrong. */
  async #load({ set, fingerprint }: Extract<Reading, { ok: true }>): Promise<string | undefined> {
    try {
      await this.#parts.load(set);
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
      throw error;
    }
    this.#seen = fingerprint;
    this.#trouble = undefined;
    this.#pause = passing(SETTLE_MILLISECONDS, true);
    return undefined;
  }

  #failed(problem: string): ReloadResult {
    this.#trouble = { problem, reportedAt: this.#clock() };
    return { ok: false, problem };
  }

  /** What is out of force must not be forgotten: its report is repeated. */
  #lastingTrouble(): ReloadResult | undefined {
    if (this.#trouble === undefined) return undefined;
    const { problem, reportedAt } = this.#trouble;
    return Math.abs(this.#clock() - reportedAt) < REPEAT_MILLISECONDS ? undefined : this.#failed(problem);
  }

  async #read(): Promise<Reading> {
    try {
      const set = await this.#parts.read();
      // Of two readings while files were replaced, both may be wrong in the same way.
      const wasChanging = set.changedMs === Infinity;
      return { ok: true, set, fingerprint: wasChanging ? randomUUID() : JSON.stringify([...set.digests]) };
    } catch (error) {
      return { ok: false, problem: messageOf(error), fingerprint: UNREADABLE };
    }
  }
}

/** Only an explicit reload keeps the process alive, not following. */
async function passing(milliseconds: number, following: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    if (following) timer.unref();
  });
}
