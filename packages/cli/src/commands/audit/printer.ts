import type { PlacedLine } from '@countersign/audit-verifier';
import { coloursFor, type Io } from '../../io.js';
import type { Filter } from './filter.js';
import { jsonLine } from './json-line.js';
import { Matcher, type OpenDecisions } from './matcher.js';
import { recordFacts } from './record-facts.js';
import { headRow, recordRow } from './record-row.js';

/** Prints the records that a filter lets through, as rows or as the lines of the log. */
export class Printer {
  readonly #io: Io;
  readonly #matcher: Matcher;
  readonly #json: boolean;
  #unreadable = 0;
  #shown = 0;

  constructor(io: Io, filter: Filter, json: boolean) {
    this.#io = io;
    this.#matcher = new Matcher(filter);
    this.#json = json;
    if (!json) io.out(`${headRow(coloursFor(io.colour.out), this.#width)}\n`);
  }

  get shown(): number {
    return this.#shown;
  }

  /** How many lines were no records. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** What matched and has no outcome. */
  get open(): OpenDecisions {
    return this.#matcher.open();
  }

  /** Takes some lines at once: one write for each record would be slow. */
  take(lines: readonly Pick<PlacedLine, 'bytes' | 'line'>[], file: string): void {
    const colours = coloursFor(this.#io.colour.out);
    const width = this.#width;
    let text = '';
    for (const { bytes, line } of lines) {
      if (line === undefined) this.#skip(file);
      const found = line && this.#matcher.match(line.record);
      if (line === undefined || found === undefined) continue;
      this.#shown += 1;
      text += `${this.#json ? jsonLine(bytes) : recordRow(recordFacts(line.sequence, found), colours, width)}\n`;
    }
    if (text !== '') this.#io.out(text);
  }

  /** What is no terminal gets one line for each record, however long. */
  get #width(): number {
    return this.#io.columns?.() ?? Number.POSITIVE_INFINITY;
  }

  #skip(file: string): void {
    this.#unreadable += 1;
    if (this.#unreadable === 1) this.#io.err(`A line in ${file} is no record and is left out: verify this log.\n`);
  }
}
