import type { PlacedLine } from '@countersign/audit-verifier';
import { coloursFor, type Io } from '../../io.js';
import { printable } from '../../text.js';
import type { Filter } from './filter.js';
import { jsonLine } from './json-line.js';
import { Matcher, type OpenDecisions } from './matcher.js';
import { recordFacts } from './record-facts.js';
import { headRow, type LogName, recordRow } from './record-row.js';

/** A line, in which file it stands, and in which of the logs. */
export interface LineToPrint extends Pick<PlacedLine, 'bytes' | 'line'> {
  readonly file: string;
  readonly log?: number;
}

export interface PrinterOptions {
  readonly filter: Filter;
  readonly json: boolean;
  /** What the logs are called, if there are several: each row says which one it is of. */
  readonly names?: readonly string[];
}

/** Prints the records that a filter lets through, as rows or as the lines of the log. */
export class Printer {
  readonly #io: Io;
  /** One for each log: how a request ended stands in the log that let it in. */
  readonly #matchers: readonly Matcher[];
  readonly #names: readonly LogName[];
  readonly #json: boolean;
  #unreadable = 0;
  #shown = 0;

  constructor(io: Io, { filter, json, names = [] }: PrinterOptions) {
    const width = Math.max(...names.map((name) => printable(name).length));
    this.#io = io;
    this.#names = names.map((name) => ({ name: printable(name), width }));
    this.#matchers = Array.from({ length: Math.max(1, names.length) }, () => new Matcher(filter));
    this.#json = json;
    if (!json) io.out(`${headRow(coloursFor(io.colour.out), this.#width, this.#names[0])}\n`);
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
    const all = this.#matchers.map((matcher) => matcher.open());
    return {
      records: all.flatMap(({ records }, log) => records.map((record) => this.#inLog(record, log, ' '))),
      more: all.some(({ more }) => more),
    };
  }

  /** Takes lines that are not to be shown, so that what they decided is known of their outcomes. */
  remember(lines: readonly LineToPrint[]): void {
    for (const { line, log = 0 } of lines) if (line !== undefined) this.#matchers[log]?.match(line.record);
  }

  /** Takes some lines at once: one write for each record would be slow. */
  take(lines: readonly LineToPrint[]): void {
    const colours = coloursFor(this.#io.colour.out);
    const width = this.#width;
    let text = '';
    for (const { bytes, line, file, log = 0 } of lines) {
      if (line === undefined) this.#skip(this.#inLog(file, log, '/'));
      const found = line && this.#matchers[log]?.match(line.record);
      if (line === undefined || found === undefined) continue;
      this.#shown += 1;
      text += `${this.#json ? jsonLine(bytes) : recordRow(recordFacts(line.sequence, found), colours, width, this.#names[log])}\n`;
    }
    if (text !== '') this.#io.out(text);
  }

  /** What is no terminal gets one line for each record, however long. */
  get #width(): number {
    return this.#io.columns?.() ?? Number.POSITIVE_INFINITY;
  }

  #inLog(what: string, log: number, between: string): string {
    const name = this.#names[log]?.name;
    return name === undefined ? what : `${name}${between}${what}`;
  }

  #skip(file: string): void {
    this.#unreadable += 1;
    if (this.#unreadable === 1) this.#io.err(`A line in ${file} is no record and is left out: verify this log.\n`);
  }
}
