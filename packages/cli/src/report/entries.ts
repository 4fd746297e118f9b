import { type RecordFacts, targetOf } from '../commands/audit/record-facts.js';

/** One request on the page: its decision and its outcome. */
export interface Entry {
  readonly verdict: 'allowed' | 'approved' | 'denied' | 'refused' | 'undecided' | 'ended';
  readonly record: RecordFacts;
  /** The target of the action. */
  readonly target: string | undefined;
  ended?: string;
  endedBy?: number;
  /** A seal covers its decision, but not its outcome. */
  endUnverified?: true;
  /** It was allowed, and its request has no outcome. */
  open?: true;
}

/** Joins outcomes with their decisions. The latest first. */
export function entriesOf(records: readonly RecordFacts[]): readonly Entry[] {
  const entries: Entry[] = [];
  const byRequest = new Map<string, Entry>();
  const open = new Map<string, Entry[]>();
  for (const record of records) {
    const latest = record.requestId === undefined ? undefined : byRequest.get(record.requestId);
    if (record.phase === 'outcome' && latest !== undefined && latest.ended === undefined) {
      latest.ended = endOf(record);
      latest.endedBy = record.sequence;
      if (record.unverified) latest.endUnverified = true;
      open.delete(record.requestId ?? '');
      continue;
    }
    const entry: Entry = { verdict: verdictOf(record), record, target: targetOf(record) };
    if (record.phase === 'outcome') entry.ended = endOf(record);
    else if (record.requestId !== undefined) byRequest.set(record.requestId, entry);
    if (entry.verdict === 'allowed' || entry.verdict === 'approved') note(open, entry);
    entries.push(entry);
  }
  for (const entry of [...open.values()].flat()) entry.open = true;
  return entries.toReversed();
}

/** One outcome ends all decisions of a request. */
function note(open: Map<string, Entry[]>, entry: Entry): void {
  const { requestId = '' } = entry.record;
  const noted = open.get(requestId);
  if (noted === undefined) open.set(requestId, [entry]);
  else noted.push(entry);
}

function verdictOf({ phase, decision, approvedBy, undecided }: RecordFacts): Entry['verdict'] {
  if (phase === 'authentication') return 'refused';
  if (phase === 'outcome') return undecided ? 'undecided' : 'ended';
  if (decision !== 'allow') return 'denied';
  return approvedBy === undefined ? 'allowed' : 'approved';
}

function endOf({ result, status, outcomeCode }: RecordFacts): string {
  return [result ?? '?', status, outcomeCode].filter((part) => part !== undefined).join(' ');
}
