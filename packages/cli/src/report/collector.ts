import { type LogReport, type PlacedLine, readLogLine } from '@countersign/audit-verifier';
import { CliError } from '../cli-error.js';
import { mergedLogs } from '../commands/audit/merged-logs.js';
import type { Matcher } from '../commands/audit/matcher.js';
import { type RecordFacts, recordFacts, unitIn } from '../commands/audit/record-facts.js';
import type { Unknown } from '../commands/audit/unknown-record.js';
import { Latest } from './latest.js';
import { Summary } from './summary.js';
import { VerifiedPart } from './verified-part.js';

export interface CollectorOptions {
  readonly matcher: Matcher;
  /** The logs to read. */
  readonly logs: readonly LogToCollect[];
  /** Whether the logs were verified; if not, the page says so once, not for each record. */
  readonly isVerified: boolean;
  /** The number of latest records to keep. */
  readonly most: number;
}

export interface LogToCollect {
  readonly directory: string;
  /** What its records are called by, where there are several logs. */
  readonly name?: string;
  /** Undefined: it could not be verified, so that no seal covers its records. */
  readonly report?: LogReport;
}

/** Records of requests, without records about the log itself. */
const phases: readonly unknown[] = ['authentication', 'decision', 'outcome'];

/** Reads the lines of logs in order, of several by time: counts those that match, and keeps the latest of them. */
export class Collector {
  readonly summary: Summary = new Summary();
  /** Kept as bytes: a million parsed records would be slow for the garbage collector. */
  readonly #latest: Latest<{ readonly bytes: Buffer; readonly covered: boolean; readonly log: number }>;
  readonly #matcher: Matcher;
  readonly #logs: readonly LogToCollect[];
  readonly #isVerified: boolean;
  readonly #parts: readonly (VerifiedPart | undefined)[];
  /** Number of lines that are not records. */
  unreadable = 0;

  constructor({ matcher, logs, isVerified, most }: CollectorOptions) {
    this.#latest = new Latest(most);
    this.#matcher = matcher;
    this.#logs = logs;
    this.#isVerified = isVerified;
    this.#parts = logs.map(({ report }) => report && new VerifiedPart(report));
  }

  /**
   * Reads the logs, once.
   *
   * @throws CliError if one has changed since it was verified.
   */
  async read(): Promise<void> {
    for await (const lines of mergedLogs(this.#logs.map(({ directory }) => directory))) {
      for (const { line, log } of lines) this.#take(line, log);
    }
    if (this.#parts.some((part) => part?.isChanged === true)) {
      throw new CliError('The log was changed after it was verified, while it was read. Verify it, then try again.');
    }
  }

  #take(placed: PlacedLine, log: number): void {
    const covered = this.#parts[log]?.covers(placed) ?? !this.#isVerified;
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
    this.#latest.take({ bytes: placed.bytes, covered, log });
  }

  /** The latest matching records, in the order of the log. */
  latest(): readonly RecordFacts[] {
    return this.#latest.list().flatMap(({ bytes, covered, log }) => {
      const line = readLogLine(bytes);
      const name = this.#logs[log]?.name;
      if (line === undefined) return [];
      return [{ ...recordFacts(line.sequence, line.record, covered), ...(name !== undefined && { log: name }) }];
    });
  }

  /** The page shows the outcome of a request even if the filter matches only its decision. */
  #endsOne(record: Unknown): boolean {
    return record['phase'] === 'outcome' && this.summary.open.has(unitIn(record));
  }
}
