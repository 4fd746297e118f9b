import { type LogLine, readLogLine } from '@countersign/audit-verifier';
import { coloursFor, type Io } from '../../io.js';
import { type Filter } from './filter.js';
import { jsonLine } from './json-line.js';
import { recordFacts } from './record-facts.js';
import { headRow, recordRow } from './record-row.js';

/** Prints the records that a filter lets through, as rows or as the lines of the log. */
export class Printer {
  readonly #io: Io;
  readonly #filter: Filter;
  readonly #json: boolean;
  #unreadable = 0;
  #shown = 0;

  constructor(io: Io, filter: Filter, json: boolean) {
    this.#io = io;
    this.#filter = filter;
    this.#json = json;
    if (!json) io.out(`${headRow(coloursFor(io.colour.out))}\n`);
  }

  get shown(): number {
    return this.#shown;
  }

  /** How many lines were no records. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Takes some lines at once: one write for each record would be slow. */
  take(lines: readonly { readonly bytes: Buffer; readonly line?: LogLine | undefined }[], file: string): void {
    const colours = coloursFor(this.#io.colour.out);
    const text = lines.map(({ bytes, line = readLogLine(bytes) }) => {
      if (line === undefined) return this.#skip(file);
      const facts = recordFacts(line.sequence, line.record);
      if (!this.#filter(facts)) return '';
      this.#shown += 1;
      return `${this.#json ? jsonLine(bytes) : recordRow(facts, colours)}\n`;
    });
    const joined = text.join('');
    if (joined !== '') this.#io.out(joined);
  }

  #skip(file: string): string {
    this.#unreadable += 1;
    if (this.#unreadable === 1) this.#io.err(`A line in ${file} is no record and is left out: verify this log.\n`);
    return '';
  }
}
