import type { Colours } from '../../io.js';
import { printable } from '../../text.js';
import { type RecordFacts, targetOf } from './record-facts.js';

/** Above the rows. */
export function headRow({ dim }: Colours): string {
  return dim(row('record', 'time', 'what', 'who', 'did', ''));
}

/** A record on one line. Nothing in it drives a terminal, and nothing is said by colour alone. */
export function recordRow(record: RecordFacts, colours: Colours): string {
  const { sequence, time } = record;
  const colour = colourOf(record, colours);
  const text = row(String(sequence), time, whatOf(record), whoOf(record), didOf(record), whyOf(record));
  return colour(text);
}

function row(sequence: string, time: string, what: string, who: string, did: string, why: string): string {
  const cells = [sequence.padStart(8), time.padEnd(24), what.padEnd(16), who.padEnd(36), did, why];
  return printable(
    cells
      .filter((cell) => cell !== '')
      .join('  ')
      .trimEnd(),
  );
}

/** `allow`, `deny`, how it ended, or which record of the log's own it is. */
function whatOf({ phase, decision, result, status, approvedBy }: RecordFacts): string {
  if (phase === 'authentication') return 'refused';
  if (phase === 'outcome') return [result ?? '?', status].filter((part) => part !== undefined).join(' ');
  if (phase !== 'decision') return phase;
  return approvedBy === undefined ? (decision ?? '?') : `${decision} approved`;
}

/** Who refused requests say they are is no actor, and does not look like one. */
function whoOf({ actor, subject, claimedAgent, claimedKey }: RecordFacts): string {
  if (actor !== undefined) return subject === undefined || subject === actor ? actor : `${actor} for ${subject}`;
  if (claimedAgent !== undefined) return `(key of ${claimedAgent})`;
  return claimedKey === undefined ? '-' : `(claims key ${claimedKey})`;
}

function didOf(record: RecordFacts): string {
  const { action, method, path } = record;
  if (action !== undefined) return [action, targetOf(record)].filter((part) => part !== undefined).join(' ');
  return method === undefined ? '' : `${method} ${path ?? ''}`;
}

function whyOf({ code, outcomeCode, approvedBy }: RecordFacts): string {
  const approved = approvedBy === undefined ? '' : `approved by ${approvedBy}`;
  return [code ?? outcomeCode ?? '', approved].filter((part) => part !== '').join(', ');
}

function colourOf(
  { phase, decision, result }: RecordFacts,
  { green, red, yellow, dim }: Colours,
): (text: string) => string {
  if (decision === 'deny') return red;
  if (phase === 'decision') return green;
  if (phase === 'outcome') return result === 'finished' ? String : yellow;
  return dim;
}
