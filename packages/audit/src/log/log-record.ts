import type { AuditRecord } from '../record/record.js';

interface OwnRecord {
  readonly sequence: number;
  readonly version: 1;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly prev: string;
}

/** The first record of each segment. With it a log can be continued and verified without the earlier segments. */
export interface SegmentRecord extends OwnRecord {
  readonly phase: 'segment';
  readonly segment: SegmentStart;
}

export interface SegmentStart {
  readonly number: number;
  /** The name of the log, as in its checkpoints. */
  readonly origin: string;
  /** Number of records in the earlier segments. */
  readonly size: number;
  /** Roots of their complete subtrees (RFC 6962), largest first, in hexadecimal. */
  readonly frontier: readonly string[];
  /** Set if the previous segment ends in torn bytes that could not be truncated: they are void. */
  readonly fenced?: { readonly validBytes: number; readonly voidBytes: number; readonly sha256: string };
}

/** A checkpoint was made: `checkpoints.txt` holds a signed checkpoint of this size. */
export interface CheckpointRecord extends OwnRecord {
  readonly phase: 'checkpoint';
  readonly checkpoint: { readonly size: number /** In base64. */; readonly root: string };
}

/** Torn bytes were quarantined after a crash. They were never acknowledged. */
export interface RecoveredRecord extends OwnRecord {
  readonly phase: 'recovered';
  readonly recovered: { readonly bytes: number; readonly sha256: string; readonly file: string };
}

/** Any record of a log: an event, or a record of the log itself. */
export type LogRecord = AuditRecord | SegmentRecord | CheckpointRecord | RecoveredRecord;

type OwnContent =
  | Pick<SegmentRecord, 'phase' | 'segment'>
  | Pick<CheckpointRecord, 'phase' | 'checkpoint'>
  | Pick<RecoveredRecord, 'phase' | 'recovered'>;

/** Renders a record of the log itself. */
export function renderOwn(content: OwnContent, time: number): string {
  return JSON.stringify({ time: new Date(time).toISOString(), ...content });
}
