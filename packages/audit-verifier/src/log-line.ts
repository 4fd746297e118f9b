/** The parts of a line that are read without parsing it. */
export interface LineFrame {
  /** The sequence number that the record claims. */
  readonly sequence: number;
  /** The leaf hash of the line before that the record claims, in hexadecimal. */
  readonly prev: string;
  /** True: the record is an event. If false, only parsing the line can tell. */
  readonly isEvent: boolean;
}

/** One line of a log. */
export interface LogLine extends LineFrame {
  readonly record: Readonly<Record<string, unknown>>;
}

/** The claim of the first record of a segment about all records before. */
export interface SegmentHeader {
  readonly origin: string;
  /** Number of records in the segments before. */
  readonly size: number;
  /** Roots of the complete subtrees of those records, in hexadecimal. */
  readonly frontier: readonly string[];
  /** Set if the segment before could not be repaired after a crash. */
  readonly fenced?: Fence;
}

/** The void end of a segment: its offset, its length, and its SHA-256 in hexadecimal. */
export interface Fence {
  readonly validBytes: number;
  readonly voidBytes: number;
  readonly sha256: string;
}

/** Longest line, in bytes. */
export const maxLineBytes: number = 16 * 1024;

/** `prev` of the first record. */
export const noPrev: string = '0'.repeat(64);

/** Enough for `sequence`, `id`, `time` and `phase` as the log writes them. */
const headBytes = 160;
const endBytes = 75;

const start = /^\{"sequence":([1-9][0-9]{0,15}),/;
const event = /,"phase":"(?:authentication|decision|outcome|authority)",/;
const end = /^,"prev":"([0-9a-f]{64})"\}$/;

/** Reads `sequence` (first) and `prev` (last) of a line. Undefined if they are not where a log has them. */
export function readFrame(bytes: Buffer): LineFrame | undefined {
  if (bytes.length > maxLineBytes) return undefined;
  const head = bytes.toString('latin1', 0, headBytes);
  const [, sequence] = start.exec(head) ?? [];
  const [, prev] = end.exec(bytes.toString('latin1', Math.max(0, bytes.length - endBytes))) ?? [];
  if (sequence === undefined || prev === undefined) return undefined;
  return { sequence: Number(sequence), prev, isEvent: event.test(head) };
}

/** The line with another `prev`. */
export function relinked(bytes: Buffer, prev: string): Buffer {
  return Buffer.concat([bytes.subarray(0, -endBytes), Buffer.from(`,"prev":"${prev}"}`)]);
}

/**
 * Parses a line. Undefined if it is not a record with `sequence` first and `prev` last: there they can be checked whatever
 * a JSON library does with repeated names.
 */
export function readLogLine(bytes: Buffer): LogLine | undefined {
  const frame = readFrame(bytes);
  const record = frame && parseObject(bytes.toString('utf8'));
  if (record?.['sequence'] !== frame?.sequence || record?.['prev'] !== frame?.prev) return undefined;
  return frame && record && { ...frame, record };
}

/** The header in the first record of a segment, or undefined if it has none. */
export function readHeader(record: Readonly<Record<string, unknown>> | undefined): SegmentHeader | undefined {
  const header = record?.['phase'] === 'segment' ? (record['segment'] as Partial<SegmentHeader> | null) : undefined;
  if (typeof header?.origin !== 'string' || !Number.isSafeInteger(header.size) || !Array.isArray(header.frontier)) {
    return undefined;
  }
  if (!header.frontier.every(isHash) || !(header.fenced === undefined || isFence(header.fenced))) return undefined;
  return header as SegmentHeader;
}

function isFence(value: unknown): boolean {
  const { validBytes, voidBytes, sha256 } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return [validBytes, voidBytes].every((bytes) => Number.isSafeInteger(bytes) && Number(bytes) >= 0) && isHash(sha256);
}

/** A SHA-256 in lower-case hexadecimal. */
export function isHash(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
