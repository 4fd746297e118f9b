import { type LogReport, type PlacedLine, readLog, readLogLine } from '@countersign/audit-verifier';
import { CliError } from '../cli-error.js';
import type { Matcher } from '../commands/audit/matcher.js';
import { type RecordFacts, recordFacts } from '../commands/audit/record-facts.js';
import { textAt, type Unknown } from '../commands/audit/unknown-record.js';
import { Latest } from './latest.js';
import { Summary } from './summary.js';
import { VerifiedPart } from './verified-part.js';

export interface CollectorOptions {
  readonly matcher: Matcher;
  /** Undefined: nothing was verified, which is said once and not of each record. */
  readonly verified: LogReport | undefined;
  /** How many of the latest records are kept. */
  readonly most: number;
}

/** What happened; not what the log says of itself. */
const phases: readonly unknown[] = ['authentication', 'decision', 'outcome'];

/** Reads the lines of a log in order: counts those that match, and keeps the latest of them. */
export class Collector {
  readonly summary: Summary = new Summary();
  /** Their bytes: a million records that live for a while, each of many objects, would keep the garbage collector busy. */
  readonly #latest: Latest<{ readonly bytes: Buffer; readonly covered: boolean }>;
  readonly #matcher: Matcher;
  readonly #verified: VerifiedPart | undefined;
  /** Lines that are no records. */
  unreadable = 0;

  constructor({ matcher, verified, most }: CollectorOptions) {
    this.#latest = new Latest(most);
    this.#matcher = matcher;
    this.#verified = verified && new VerifiedPart(verified);
  }

  /**
   * Reads the log in a folder, once.
   *
   * @throws CliError if it is not the log that was verified any more.
   */
  async read(directory: string): Promise<void> {
    for await (const lines of readLog(directory, () => {})) for (const line of lines) this.#take(line);
    if (this.#verified?.isChanged === true) {
      throw new CliError('The log was changed after it was verified, while it was read. Verify it, then try again.');
    }
  }

  #take(placed: PlacedLine): void {
    const covered = this.#verified?.covers(placed) ?? true;
    const { line } = placed;
    if (line === undefined) {
      this.unreadable += 1;
      return;
    }
    const { record, sequence } = line;
    if (!phases.includes(record['phase'])) return;
    const found = this.#matcher.match(record) ?? (this.#endsOne(record) ? record : undefined);
    if (found === undefined) return;
    this.summary.take(recordFacts(sequence, found, covered));
    this.#latest.take({ bytes: placed.bytes, covered });
  }

  /** The latest of those that match, in the order of the log. */
  latest(): readonly RecordFacts[] {
    return this.#latest.list().flatMap(({ bytes, covered }) => {
      const line = readLogLine(bytes);
      return line === undefined ? [] : [recordFacts(line.sequence, line.record, covered)];
    });
  }

  /** How a request ended belongs to the page also where the filter chose its decision only. */
  #endsOne(record: Unknown): boolean {
    return record['phase'] === 'outcome' && this.summary.open.has(textAt(record, 'request', 'id'));
  }
}
