import { type Checkpoint, openCheckpoint, parseCheckpoint } from './checkpoint.js';
import { type CheckpointFile, signedText } from './checkpoint-file.js';
import type { Finding, Findings } from './finding.js';
import type { NoteProblem, VerifierKey } from './note.js';
import { runsOf } from './runs.js';

/** Where checkpoints come from. */
export interface CheckpointSource {
  /** For people. */
  readonly file: string;
  /** True: kept outside of the folder of the log. */
  readonly outside: boolean;
}

export interface OpenedCheckpoints {
  /** Those that the key has signed. */
  readonly signed: readonly Checkpoint[];
  /** Number of checkpoints of other logs. */
  readonly others: number;
}

interface CheckedNote {
  /** Its position in the file, from 1. */
  readonly number: number;
  readonly verdict: 'good' | 'of_another_log' | NoteProblem | 'bad_key';
  readonly checkpoint?: Checkpoint;
}

/** Opens the checkpoints of a file. Faults become findings; neighbours with the same fault are one finding. */
export function openCheckpoints(
  { notes, strays }: CheckpointFile,
  { file, outside }: CheckpointSource,
  key: VerifierKey,
  findings: Findings,
): OpenedCheckpoints {
  for (const line of strays) {
    const message = `A part of ${file} is no whole checkpoint: it was changed, or cut off.`;
    findings.add({ kind: 'checkpoint_edited', file, line, message });
  }
  const checked = notes.map((note, index): CheckedNote => ({ number: index + 1, ...checkNote(note, key, outside) }));
  for (const run of runsOf(checked, (a, b) => a.verdict === b.verdict)) {
    const finding = findingOn(run, file);
    if (finding !== undefined) findings.add(finding);
  }
  return {
    signed: checked.flatMap(({ checkpoint }) => checkpoint ?? []),
    others: checked.filter(({ verdict }) => verdict === 'of_another_log').length,
  };
}

function checkNote(note: string, key: VerifierKey, outside: boolean): Omit<CheckedNote, 'number'> {
  const opened = openCheckpoint(note, key);
  if (opened.ok) return { verdict: 'good', checkpoint: opened.checkpoint };
  // One file may be the witness of several logs; a checkpoint of another log is no fault.
  const origin = parseCheckpoint(signedText(note))?.origin ?? key.name;
  const isOfAnother = outside && opened.problem === 'no_known_signature' && origin !== key.name;
  return { verdict: isOfAnother ? 'of_another_log' : opened.problem };
}

function findingOn(run: readonly [CheckedNote, ...CheckedNote[]], file: string): Finding | undefined {
  const [{ number, verdict }] = run;
  if (verdict === 'good' || verdict === 'of_another_log') return undefined;
  const one = run.length === 1;
  const which = one ? `Checkpoint ${number}` : `Checkpoints ${number} to ${number + run.length - 1}`;
  if (verdict === 'no_known_signature') {
    return { kind: 'wrong_key', file, message: `${which} in ${file} ${one ? 'is' : 'are'} signed by another key.` };
  }
  const were = one ? 'was' : 'were';
  const message = `${which} in ${file} ${were} changed, or ${were} never signed (${verdict}).`;
  return { kind: 'checkpoint_edited', file, message };
}
