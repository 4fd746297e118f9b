import type { Colours } from '../../io.js';
import { printable } from '../../text.js';
import { type RecordFacts, targetOf } from './record-facts.js';

const gap = '  ';
const indent = ' '.repeat(10);
/** A narrower terminal gets each record on two lines. */
const roomy = 110;

/** Where several logs are read: which one, and how wide the longest name is. */
export interface LogName {
  readonly name: string;
  readonly width: number;
}

/** Above the rows. */
export function headRow({ dim }: Colours, width: number, log?: LogName): string {
  return dim(row(['record', 'time', 'what', 'who', 'did'], width, log && { ...log, name: 'log' }));
}

/**
 * A record in a row: on one line if it fits into the width, else broken between its cells. Nothing but the detail is cut
 * off, nothing in it drives a terminal, and nothing is said by colour alone.
 */
export function recordRow(record: RecordFacts, colours: Colours, width: number, log?: LogName): string {
  const { sequence, time, detail = '' } = record;
  const cells = [String(sequence), time, whatOf(record), whoOf(record), didOf(record), whyOf(record)];
  return colourOf(record, colours)(row([...cells, fitted(detail, width)], width, log));
}

/** What was said for people to read is no name that could be mistaken for another: one line of it is enough. */
function fitted(detail: string, width: number): string {
  const text = printable(detail);
  const room = width - indent.length;
  return text.length <= room ? text : `${text.slice(0, room - 1).replace(/\p{Cs}$/u, '')}…`;
}

function row(cells: readonly string[], width: number, log: LogName | undefined): string {
  const [sequence = '', time = '', what = '', who = '', ...rest] = cells;
  const name = log === undefined ? [] : [log.name.padEnd(log.width)];
  const start = [...name, sequence.padStart(8), time.padEnd(24), what.padEnd(16)];
  const end = [who.padEnd(36), ...rest.filter((cell) => cell !== '')].map(printable);
  if (width >= roomy) return broken([...start.map(printable), ...end], width).join('\n');
  return [...broken(start.map(printable), width), ...broken(end, width, indent)].join('\n');
}

/** Breaks where the next cell would not fit. One that fits no line is broken between its words. */
function broken(cells: readonly string[], width: number, before = ''): readonly string[] {
  const lines: string[] = [];
  let line = before;
  for (const { space, text } of cells.flatMap((cell) => pieces(cell, width))) {
    const isFirst = line.trim() === '';
    const longer = isFirst ? line + text : line + space + text;
    if (!isFirst && longer.trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = indent + text;
    } else line = longer;
  }
  return [...lines, line.trimEnd()];
}

function pieces(cell: string, width: number): readonly { readonly space: string; readonly text: string }[] {
  if (cell.trimEnd().length <= width - indent.length) return [{ space: gap, text: cell }];
  return cell.split(' ').map((text, at) => ({ space: at === 0 ? gap : ' ', text }));
}

/** `allow`, `deny`, how it ended, or which record of the log's own it is. */
function whatOf({ phase, decision, result, status, approvedBy, undecided }: RecordFacts): string {
  if (phase === 'authentication') return 'refused';
  if (phase === 'outcome') return [undecided && '!', result ?? '?', status].filter(Boolean).join(' ');
  if (phase !== 'decision') return phase;
  return approvedBy === undefined ? (decision ?? '?') : `${decision} approved`;
}

/** Who refused requests say they are is no actor, and does not look like one. */
function whoOf({ actor, subject, claimedAgent, claimedKey, own }: RecordFacts): string {
  if (own !== undefined) return '(the log)';
  if (actor !== undefined) return subject === undefined || subject === actor ? actor : `${actor} for ${subject}`;
  if (claimedAgent !== undefined) return `(key of ${claimedAgent})`;
  return claimedKey === undefined ? '(unknown)' : `(claims key ${claimedKey})`;
}

function didOf(record: RecordFacts): string {
  const { action, method, path, own } = record;
  if (own !== undefined) return own;
  if (action !== undefined) return [action, targetOf(record)].filter((part) => part !== undefined).join(' ');
  return method === undefined ? '' : `${method} ${path ?? ''}`;
}

function whyOf({ code, outcomeCode, policies, approvedBy, oversize, undecided }: RecordFacts): string {
  const by = policies === '' ? '' : `by ${policies}`;
  const approved = approvedBy === undefined ? '' : `approved by ${approvedBy}`;
  const shortened = oversize === undefined ? '' : `shortened from ${oversize} bytes`;
  const unasked = undecided ? 'undecided: no permission was asked for' : '';
  return [code ?? outcomeCode ?? '', unasked, by, approved, shortened].filter((part) => part !== '').join(', ');
}

function colourOf(
  { phase, decision, result, undecided }: RecordFacts,
  { green, red, yellow, dim }: Colours,
): (text: string) => string {
  if (phase === 'outcome') return result === 'finished' && undecided === undefined ? String : yellow;
  if (decision === 'deny') return red;
  return phase === 'decision' ? green : dim;
}
