import type { CloudEventsSettings } from './cloud-events-options.js';
import { type Answer, postEvents } from './post-events.js';
import type { Spool } from './spool.js';

/** Waiting lines that are tried as a control: some may be bad, too. */
const maxCandidates = 10;
/** Controls that are received while a line fails until the line is to blame. */
const minControls = 4;
/** Controls that fail until the receiver is to blame. */
const maxFailedControls = 8;
/** How long a received line shows that the receiver works. */
const recentMilliseconds = 5000;

/**
 * Sends lines, and knows which waiting ones are settled: received, or refused for good. A control is a waiting line that
 * was never received: a receiver that knows records by `id` may accept one of these while it takes nothing new.
 */
export class SettledLines {
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #signal: () => AbortSignal;
  readonly #settled = new Set<string>();
  #receivedAt = -Infinity;
  /** A line that fails, and how many controls were received meanwhile, also in several attempts. */
  #trial = { line: '', controls: 0 };
  /** Whether anything was received since this was last set to false. */
  receivedSome = false;

  /** `signal` ends a request. */
  constructor(spool: Spool, settings: CloudEventsSettings, signal: () => AbortSignal) {
    this.#spool = spool;
    this.#settings = settings;
    this.#signal = signal;
  }

  /** Those that must still be sent. */
  unsettled(lines: readonly string[]): readonly string[] {
    return lines.filter((line) => !this.#settled.has(line));
  }

  add(lines: readonly string[]): void {
    for (const line of lines) this.#settled.add(line);
  }

  /** Call it when their batch is removed, or when they must be sent again. */
  remove(lines: readonly string[]): void {
    for (const line of lines) this.#settled.delete(line);
  }

  get receivedLately(): boolean {
    return Math.abs(this.#settings.clock() - this.#receivedAt) < recentMilliseconds;
  }

  async post(lines: readonly string[]): Promise<Answer> {
    const answer = await postEvents(lines, this.#settings, this.#signal());
    if (answer.kind === 'received') {
      this.add(lines);
      this.#receivedAt = this.#settings.clock();
      this.receivedSome = true;
    }
    return answer;
  }

  async #isReceived(line: string): Promise<boolean> {
    return (await this.post([line])).kind === 'received';
  }

  /** Tries a few controls until one is received, but none of those that failed. */
  async findControl(failed: readonly string[]): Promise<boolean> {
    const tried = new Set(failed);
    for (let count = 0; count < maxCandidates; count++) {
      const isReceived = await this.#tryControl(tried);
      if (isReceived !== false) return isReceived === true;
    }
    return false;
  }

  /**
   * Whether a line fails because of what it holds: it must fail twice before each of a few controls is received. A receiver
   * that is half down fails at random, or every second time.
   */
  async isToBlame(line: string): Promise<boolean> {
    if (this.#trial.line !== line) this.#trial = { line, controls: 0 };
    const tried = new Set([line]);
    for (let failed = 0; failed < maxFailedControls; ) {
      if (await this.#isReceived(line)) return false;
      const isControlReceived = await this.#tryControl(tried);
      if (isControlReceived === undefined) return false;
      if (isControlReceived) this.#trial.controls += 1;
      else failed += 1;
      if (this.#trial.controls >= minControls) return true;
      if (await this.#isReceived(line)) return false;
    }
    // In a long outage a few controls may be known from before a restart.
    this.#trial.controls = 0;
    return false;
  }

  /** Sends a control that was not tried. Resolves to undefined if none waits. */
  async #tryControl(tried: Set<string>): Promise<boolean | undefined> {
    const line = this.#spool.sampleLine((waiting) => !this.#settled.has(waiting) && !tried.has(waiting));
    if (line === undefined) return undefined;
    tried.add(line);
    return this.#isReceived(line);
  }
}
