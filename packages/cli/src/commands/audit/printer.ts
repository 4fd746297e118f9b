import type { PlacedLine } from '@countersign/audit-verifier';
import { coloursFor, type Io } from '../../io.js';
import { printable } from '../../text.js';
import type { Filter } from './filter.js';
import { jsonLine } from './json-line.js';
import { Matcher, type OpenDecisions } from './matcher.js';
import { recordFacts } from './record-facts.js';
import { headRow, type LogName, recordRow, type RowStyle } from './record-row.js';
import { ShortNames } from './short-names.js';
import { textAt } from './unknown-record.js';

/** A line, its file and its log. */
export interface LineToPrint extends Pick<PlacedLine, 'bytes' | 'line'> {
  readonly file: string;
  readonly log?: number;
}

export interface PrinterOptions {
  readonly filter: Filter;
  readonly json: boolean;
  /** The names of the logs, if there are several: each row then names its log. */
  readonly names?: readonly string[];
}

/** Prints the matching records, as rows or as the lines of the log. */
export class Printer {
  readonly #io: Io;
  /** One for each log, because an outcome is in the log of its decision. */
  readonly #matchers: Matcher[] = [];
  readonly #filter: Filter;
  readonly #json: boolean;
  readonly #shortNames = new ShortNames();
  #names: readonly LogName[] = [];
  #unreadable = 0;
  #shown = 0;
  #denied: number | undefined;

  constructor(io: Io, { filter, json, names = [] }: PrinterOptions) {
    this.#io = io;
    this.#filter = filter;
    this.#json = json;
    this.nameLogs(names);
  }

  /** The logs from now on: those of before, in their order, and others after them. */
  nameLogs(names: readonly string[]): void {
    const width = Math.max(...names.map((name) => printable(name).length));
    this.#names = names.map((name) => ({ name: printable(name), width }));
    while (this.#matchers.length < Math.max(1, names.length)) this.#matchers.push(new Matcher(this.#filter));
    if (!this.#json) this.#io.out(`${headRow(this.#style, this.#names[0])}\n`);
  }

  /** How many logs have names. */
  get logs(): number {
    return this.#names.length;
  }

  get shown(): number {
    return this.#shown;
  }

  /** The last record shown that policy denied. */
  get denied(): number | undefined {
    return this.#denied;
  }

  /** Number of lines that are not records. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Matching decisions without an outcome. */
  get open(): OpenDecisions {
    const all = this.#matchers.map((matcher) => matcher.open());
    return {
      records: all.flatMap(({ records }, log) => records.map((record) => this.#inLog(record, log, ' '))),
      more: all.some(({ more }) => more),
    };
  }

  /** Takes lines without printing them, so that later outcomes find their decisions. */
  remember(lines: readonly LineToPrint[]): void {
    for (const { line, log = 0 } of lines) if (line !== undefined) this.#matchers[log]?.match(line.record);
  }

  /** Takes a batch of lines, because one write per record would be slow. */
  take(lines: readonly LineToPrint[]): void {
    const style = this.#style;
    let text = '';
    for (const { bytes, line, file, log = 0 } of lines) {
      if (line === undefined) this.#skip(this.#inLog(file, log, '/'));
      const found = line && this.#matchers[log]?.match(line.record);
      if (line === undefined || found === undefined) continue;
      this.#shown += 1;
      if (textAt(line.record, 'code') === 'policy_denied') this.#denied = line.sequence;
      text += `${this.#json ? jsonLine(bytes) : recordRow(recordFacts(line.sequence, found), style, this.#names[log])}\n`;
    }
    if (text !== '') this.#io.out(text);
  }

  /** Whether names were shortened. */
  get shortened(): boolean {
    return this.#shortNames.any;
  }

  /** Without a terminal, each record is one line of any length, with whole names and UTC only. */
  get #style(): RowStyle {
    const colours = coloursFor(this.#io.colour.out);
    const columns = this.#io.columns?.();
    if (columns === undefined) return { colours, width: Number.POSITIVE_INFINITY };
    return { colours, width: columns, timeZone: this.#io.timeZone, names: this.#shortNames };
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
