import type { AuditRecord } from '../record/record.js';

interface OwnRecord {
  readonly sequence: number;
  readonly version: 1;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly prev: string;
}

/** The first record of each segment. It holds all that is needed to go on without the segments before. */
export interface SegmentRecord extends OwnRecord {
  readonly phase: 'segment';
  readonly segment: SegmentStart;
}

export interface SegmentStart {
  readonly number: number;
  /** The name of the log, in its checkpoints too. */
  readonly origin: string;
  /** How many records came before. */
  readonly size: number;
  /** Roots of the complete subtrees over them (RFC 6962), largest first, in hexadecimal. */
  readonly frontier: readonly string[];
  /** Only if the segment before ends in bytes that could not be cut off after a crash: they are void. */
  readonly fenced?: { readonly validBytes: number; readonly voidBytes: number; readonly sha256: string };
}

/** The log was sealed: a signed checkpoint of so many records stands in `checkpoints.txt`. */
export interface CheckpointRecord extends OwnRecord {
  readonly phase: 'checkpoint';
  readonly checkpoint: { readonly size: number /** In base64. */; readonly root: string };
}

/** Bytes that a crash had torn were put aside. They were never acknowledged. */
export interface RecoveredRecord extends OwnRecord {
  readonly phase: 'recovered';
  readonly recovered: { readonly bytes: number; readonly sha256: string; readonly file: string };
}

/** Whatever stands in a log: what happened, and what the log says of itself. */
export type LogRecord = AuditRecord | SegmentRecord | CheckpointRecord | RecoveredRecord;

type OwnContent =
  | Pick<SegmentRecord, 'phase' | 'segment'>
  | Pick<CheckpointRecord, 'phase' | 'checkpoint'>
  | Pick<RecoveredRecord, 'phase' | 'recovered'>;

/** Renders a record of the log's own, to be sealed like an event. */
export function renderOwn(content: OwnContent, time: number): string {
  return JSON.stringify({ time: new Date(time).toISOString(), ...content });
}
