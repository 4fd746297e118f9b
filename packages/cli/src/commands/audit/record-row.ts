import type { Colours } from '../../io.js';
import { printable, withSingleSpaces } from '../../text.js';
import { localTime } from './local-time.js';
import { type RecordFacts, targetOf } from './record-facts.js';
import type { ShortNames } from './short-names.js';

const gap = '  ';
const indent = ' '.repeat(10);
/** Below this width each record takes two lines. */
const roomy = 110;

/** If several logs are read: the name of this log, and the width of the longest name. */
export interface LogName {
  readonly name: string;
  readonly width: number;
}

/** How rows look. */
export interface RowStyle {
  readonly colours: Colours;
  /** Columns of the terminal; infinite without one. */
  readonly width: number;
  /** The time zone of the reader, beside UTC. */
  readonly timeZone?: string | undefined;
  /** For people: long names are shortened. */
  readonly names?: ShortNames | undefined;
}

/** The heading of the rows. */
export function headRow({ colours: { dim }, width, timeZone }: RowStyle, log?: LogName): string {
  const time = localTime('2026-01-01T00:00:00Z', timeZone) === undefined ? 'time' : 'time (local)';
  return dim(row(['record', time, 'what', 'who', 'did'], width, log && { ...log, name: 'log' }));
}

/**
 * A record as a row: on one line if it fits the width, else wrapped between its cells. Only the detail is truncated, and on a
 * terminal UUIDs and thumbprints are shortened, each to a form of its own.
 * Control characters are escaped, and colour is never the only signal.
 */
export function recordRow(record: RecordFacts, { colours, width, timeZone, names }: RowStyle, log?: LogName): string {
  const { sequence, time, detail = '' } = record;
  const local = localTime(time, timeZone);
  // A root is to be compared, so it is whole.
  const short = (cell: string): string => (record.own === undefined && names?.shorten(cell)) || cell;
  const cells = [
    String(sequence),
    local === undefined ? time : `${time} (${local})`,
    whatOf(record),
    short(whoOf(record)),
    short(didOf(record)),
    short(whyOf(record)),
  ];
  return colourOf(record, colours)(row([...cells, fitted(detail, width)].map(withSingleSpaces), width, log));
}

/** Free text is limited to one line: unlike a name, it cannot be mistaken for another when truncated. */
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

/** Wraps before a cell that does not fit. A cell wider than a line wraps between its words. */
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

/** `allow`, `deny`, the outcome, what happened at an authority, or the kind of a record about the log itself. */
function whatOf({ phase, decision, result, status, approvedBy, undecided, event }: RecordFacts): string {
  if (phase === 'authority') return event ?? '?';
  if (phase === 'outcome') return [undecided && '!', result ?? '?', status].filter(Boolean).join(' ');
  if (decision === 'would_refuse') return '! would refuse';
  if (phase === 'authentication') return 'refused';
  if (phase !== 'decision') return phase;
  return approvedBy === undefined ? (decision ?? '?') : `${decision} approved`;
}

/**
 * The identity that a refused request claims is marked, so that it does not look like an actor; and so is for whom an agent
 * asked an authority for approval, which only the API can know.
 */
function whoOf({ actor, subject, claimedAgent, claimedKey, own, event }: RecordFacts): string {
  if (own !== undefined) return '(the log)';
  const acts = event?.startsWith('approval.') ? ', it says for' : ' for';
  if (actor !== undefined) return subject === undefined || subject === actor ? actor : `${actor}${acts} ${subject}`;
  if (claimedAgent !== undefined) return `(key of ${claimedAgent})`;
  return claimedKey === undefined ? '(unknown)' : `(claims key ${claimedKey})`;
}

function didOf(record: RecordFacts): string {
  const { action, method, path, own } = record;
  if (own !== undefined) return own;
  if (action !== undefined) return [action, targetOf(record)].filter((part) => part !== undefined).join(' ');
  return method === undefined ? '' : `${method} ${path ?? ''}`;
}

function whyOf({ code, outcomeCode, policies, approvedBy, oversize, undecided, eventBy }: RecordFacts): string {
  const by = policies === '' ? '' : `by ${policies}`;
  const approved = approvedBy === undefined ? '' : `approved by ${approvedBy}`;
  const shortened = oversize === undefined ? '' : `shortened from ${oversize} bytes`;
  const did = eventBy === undefined ? '' : `by ${eventBy}`;
  const unasked = undecided ? 'undecided: no permit was reached' : '';
  return [code ?? outcomeCode ?? '', did, unasked, by, approved, shortened].filter((part) => part !== '').join(', ');
}

function colourOf(
  { phase, decision, result, undecided }: RecordFacts,
  { green, red, yellow, dim }: Colours,
): (text: string) => string {
  if (phase === 'outcome') return result === 'finished' && undecided === undefined ? String : yellow;
  if (decision === 'would_refuse') return yellow;
  if (decision === 'deny') return red;
  return phase === 'decision' ? green : dim;
}
