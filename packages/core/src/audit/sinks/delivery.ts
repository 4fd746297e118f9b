import { textOf } from '../../text-of.js';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { readBatch, type Spool } from './spool.js';

/** Waits; ends early when the signal says so. A test has its own. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const firstRetryMilliseconds = 1000;

/**
 * Sends what is ready, batch by batch, oldest first, and tries the same batch until it was received: no answer means
 * that its records may be dropped.
 */
export class Delivery {
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #pause: Pause;
  readonly #closing = new AbortController();
  #working: Promise<void> | undefined;
  #failures = 0;

  constructor(spool: Spool, settings: CloudEventsSettings, pause: Pause) {
    this.#spool = spool;
    this.#settings = settings;
    this.#pause = pause;
  }

  /** Call it when a batch may be ready. */
  wake(): void {
    if (this.#working === undefined && this.#hasWork) this.#working = this.#work();
  }

  /** Sends what is left, for as long as one try may take. What is not received by then waits for the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#working;
    const deadline = AbortSignal.timeout(this.#settings.timeoutMilliseconds);
    while (this.#spool.oldest !== undefined && !deadline.aborted && (await this.#deliverOldest(deadline)));
  }

  get #hasWork(): boolean {
    return this.#spool.oldest !== undefined && !this.#closing.signal.aborted;
  }

  async #work(): Promise<void> {
    while (this.#hasWork) {
      const received = await this.#deliverOldest(AbortSignal.timeout(this.#settings.timeoutMilliseconds));
      if (!received && this.#hasWork) await this.#pause(this.#retryAfter(), this.#closing.signal);
    }
    this.#working = undefined;
  }

  async #deliverOldest(signal: AbortSignal): Promise<boolean> {
    const batch = this.#spool.oldest;
    if (batch === undefined) return true;
    try {
      const lines = readBatch(batch);
      if (lines === undefined) this.#settings.onTrouble(`countersign: ${batch.path} was removed before it was sent.`);
      else if (lines.length > 0) await post(lines, this.#settings, signal);
      this.#spool.remove(batch);
    } catch (error) {
      this.#failed(error);
      return false;
    }
    this.#failures = 0;
    return true;
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    // The first, the second, the fourth …: a receiver that is down must not flood whoever listens.
    if (!Number.isInteger(Math.log2(this.#failures))) return;
    const times = this.#failures === 1 ? 'once' : `${this.#failures} times in a row`;
    this.#settings.onTrouble(
      `countersign: ${this.#settings.url.host} took no audit records, ${times} now: ${reasonOf(error)}. ` +
        'They wait on disk; once the spool is full, more are refused.',
    );
  }

  /** Doubles, with chance in it: the processes of a fleet should not all come back at once. */
  #retryAfter(): number {
    const { maxRetryMilliseconds } = this.#settings;
    const pause = Math.min(maxRetryMilliseconds, firstRetryMilliseconds * 2 ** (this.#failures - 1));
    return pause * (0.5 + Math.random() / 2);
  }
}

async function post(lines: readonly string[], settings: CloudEventsSettings, signal: AbortSignal): Promise<void> {
  const response = await fetch(settings.url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/cloudevents-batch+json; charset=utf-8',
      ...(settings.authorization === undefined ? {} : { Authorization: settings.authorization }),
    },
    body: `[${lines.join(',')}]`,
    redirect: 'error',
    signal,
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answered ${response.status}`);
}

/** `fetch` says what happened in the cause only. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${textOf(error.cause)})` : '';
  return textOf(error) + cause;
}
