import { type RecordFacts, targetOf, unitOf, wentOn } from '../commands/audit/record-facts.js';

/** One request or call on the page: its decision and its outcome. */
export interface Entry {
  readonly verdict: 'allowed' | 'approved' | 'denied' | 'refused' | 'observed' | 'undecided' | 'ended';
  readonly record: RecordFacts;
  /** The target of the action. */
  readonly target: string | undefined;
  ended?: string;
  endedBy?: number;
  /** A seal covers its decision, but not its outcome. */
  endUnverified?: true;
  /** It was allowed, and has no outcome. */
  open?: true;
}

/** Joins outcomes with their decisions. The latest first. */
export function entriesOf(records: readonly RecordFacts[]): readonly Entry[] {
  const entries: Entry[] = [];
  const byUnit = new Map<string, Entry>();
  const open = new Map<string, Entry[]>();
  for (const record of records) {
    const unit = unitOf(record);
    const latest = unit === undefined ? undefined : byUnit.get(unit);
    if (record.phase === 'outcome' && latest !== undefined && latest.ended === undefined) {
      latest.ended = endOf(record);
      latest.endedBy = record.sequence;
      if (record.unverified) latest.endUnverified = true;
      open.delete(unit ?? '');
      continue;
    }
    const entry: Entry = { verdict: verdictOf(record), record, target: targetOf(record) };
    if (record.phase === 'outcome') entry.ended = endOf(record);
    else if (unit !== undefined) byUnit.set(unit, entry);
    if (record.phase === 'decision' && wentOn(record.decision)) note(open, entry);
    entries.push(entry);
  }
  for (const entry of [...open.values()].flat()) entry.open = true;
  return entries.toReversed();
}

/** One outcome ends all decisions of a request or call. */
function note(open: Map<string, Entry[]>, entry: Entry): void {
  const unit = unitOf(entry.record) ?? '';
  const noted = open.get(unit);
  if (noted === undefined) open.set(unit, [entry]);
  else noted.push(entry);
}

function verdictOf({ phase, decision, approvedBy, undecided }: RecordFacts): Entry['verdict'] {
  if (phase === 'outcome') return undecided ? 'undecided' : 'ended';
  if (decision === 'would_refuse') return 'observed';
  if (phase === 'authentication') return 'refused';
  if (decision !== 'allow') return 'denied';
  return approvedBy === undefined ? 'allowed' : 'approved';
}

function endOf({ result, status, outcomeCode }: RecordFacts): string {
  return [result ?? '?', status, outcomeCode].filter((part) => part !== undefined).join(' ');
}
