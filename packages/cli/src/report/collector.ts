import { type LogReport, type PlacedLine, readLog, readLogLine } from '@countersign/audit-verifier';
import { CliError } from '../cli-error.js';
import type { Matcher } from '../commands/audit/matcher.js';
import { type RecordFacts, recordFacts, unitIn } from '../commands/audit/record-facts.js';
import type { Unknown } from '../commands/audit/unknown-record.js';
import { Latest } from './latest.js';
import { Summary } from './summary.js';
import { VerifiedPart } from './verified-part.js';

export interface CollectorOptions {
  readonly matcher: Matcher;
  /** Undefined: the log was not verified; the page says so once, not for each record. */
  readonly verified: LogReport | undefined;
  /** The number of latest records to keep. */
  readonly most: number;
}

/** Records of requests, without records about the log itself. */
const phases: readonly unknown[] = ['authentication', 'decision', 'outcome'];

/** Reads the lines of a log in order: counts those that match, and keeps the latest of them. */
export class Collector {
  readonly summary: Summary = new Summary();
  /** Kept as bytes: a million parsed records would be slow for the garbage collector. */
  readonly #latest: Latest<{ readonly bytes: Buffer; readonly covered: boolean }>;
  readonly #matcher: Matcher;
  readonly #verified: VerifiedPart | undefined;
  /** Number of lines that are not records. */
  unreadable = 0;

  constructor({ matcher, verified, most }: CollectorOptions) {
    this.#latest = new Latest(most);
    this.#matcher = matcher;
    this.#verified = verified && new VerifiedPart(verified);
  }

  /**
   * Reads the log in a folder, once.
   *
   * @throws CliError if the log has changed since it was verified.
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

  /** The latest matching records, in the order of the log. */
  latest(): readonly RecordFacts[] {
    return this.#latest.list().flatMap(({ bytes, covered }) => {
      const line = readLogLine(bytes);
      return line === undefined ? [] : [recordFacts(line.sequence, line.record, covered)];
    });
  }

  /** The page shows the outcome of a request even if the filter matches only its decision. */
  #endsOne(record: Unknown): boolean {
    return record['phase'] === 'outcome' && this.summary.open.has(unitIn(record));
  }
}
