import { FailureThrottle } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { type Answer, postEvents } from './post-events.js';

/** What the queues of a sink share: where they send to, what it took, and when they end. */
export class Receiver {
  readonly #settings: CloudEventsSettings;
  readonly #onReceived: (lines: readonly string[]) => void;
  readonly #failures: FailureThrottle;
  readonly #closing = new AbortController();
  /** Set at close: when the last attempt ends. */
  #deadline: AbortSignal | undefined;
  #receipts = 0;
  #held: Promise<unknown> = Promise.resolve();

  constructor(settings: CloudEventsSettings, onReceived: (lines: readonly string[]) => void) {
    this.#settings = settings;
    this.#onReceived = onReceived;
    this.#failures = new FailureThrottle(settings.clock);
  }

  /**
   * Requests that were received. Each is evidence that the receiver works, since no queue sends a record that was received
   * before: a receiver that knows records by `id` may accept these while it takes nothing new.
   */
  get receipts(): number {
    return this.#receipts;
  }

  /** Aborted at close: the next failure is the last. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get isClosed(): boolean {
    return this.#deadline?.aborted === true;
  }

  close(): void {
    this.#deadline = AbortSignal.timeout(this.#settings.timeoutMilliseconds);
    this.#closing.abort();
  }

  /** No queue sends anything before `pause` resolves, nor before an earlier one does. */
  hold(pause: Promise<void>): void {
    this.#held = Promise.all([this.#held, pause]);
  }

  async post(lines: readonly string[]): Promise<Answer> {
    await this.#held;
    const timeout = this.#deadline ?? AbortSignal.timeout(this.#settings.timeoutMilliseconds);
    const answer = await postEvents(lines, this.#settings, timeout);
    if (answer.kind === 'received') {
      this.#receipts += 1;
      this.#onReceived(lines);
      this.#reportRecovery(this.#failures.recordSuccess());
    }
    return answer;
  }

  reportFailure(reason: string): void {
    if (!this.#failures.recordFailure()) return;
    this.#settings.onTrouble(
      `countersign: ${this.#settings.url.host} took no audit records, ${this.#failures.timesText} now: ${reason}. ` +
        'They wait on disk; once the spool is full, more are refused.',
    );
  }

  /** At close: without the wait for a quiet time. */
  flushReports(): void {
    this.#reportRecovery(this.#failures.flush());
  }

  #reportRecovery(failures: number): void {
    if (failures > 0) this.#settings.onTrouble(`countersign: ${this.#settings.url.host} takes audit records again.`);
  }
}
