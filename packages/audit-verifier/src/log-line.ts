/** What a line says of its place, seen from its two ends alone. */
export interface LineFrame {
  /** What the record says its place is. */
  readonly sequence: number;
  /** The leaf hash of the line before, in hexadecimal, as the record says. */
  readonly prev: string;
  /** The record is of something that happened. If false it may be, too: only the whole line tells. */
  readonly isEvent: boolean;
}

/** One line of a log. */
export interface LogLine extends LineFrame {
  readonly record: Readonly<Record<string, unknown>>;
}

/** What the first record of a segment says of all that was before it. */
export interface SegmentHeader {
  readonly origin: string;
  /** How many records are in the segments before. */
  readonly size: number;
  /** Roots of the complete subtrees of those records, in hexadecimal. */
  readonly frontier: readonly string[];
  /** Set if the segment before could not be repaired after a crash. */
  readonly fenced?: Fence;
}

/** The bytes of a segment that are void: how many are before them, how many they are, their SHA-256 in hexadecimal. */
export interface Fence {
  readonly validBytes: number;
  readonly voidBytes: number;
  readonly sha256: string;
}

/** No line is longer, in bytes. */
export const maxLineBytes: number = 16 * 1024;

/** Link of the first record: there is nothing before it. */
export const noPrev: string = '0'.repeat(64);

/** Holds `sequence`, `id`, `time` and `phase`, as they are written. */
const headBytes = 160;
const endBytes = 75;

const start = /^\{"sequence":([1-9][0-9]{0,15}),/;
const event = /,"phase":"(?:authentication|decision|outcome)",/;
const end = /^,"prev":"([0-9a-f]{64})"\}$/;

/** Reads `sequence`, which is first, and `prev`, which is last. Undefined if they are not there, as a log has them. */
export function readFrame(bytes: Buffer): LineFrame | undefined {
  if (bytes.length > maxLineBytes) return undefined;
  const head = bytes.toString('latin1', 0, headBytes);
  const [, sequence] = start.exec(head) ?? [];
  const [, prev] = end.exec(bytes.toString('latin1', Math.max(0, bytes.length - endBytes))) ?? [];
  if (sequence === undefined || prev === undefined) return undefined;
  return { sequence: Number(sequence), prev, isEvent: event.test(head) };
}

/** The line as it was if nothing of it was changed but its end, which names the hash of the line before. */
export function relinked(bytes: Buffer, prev: string): Buffer {
  return Buffer.concat([bytes.subarray(0, -endBytes), Buffer.from(`,"prev":"${prev}"}`)]);
}

/**
 * Reads a whole line. Undefined if it is not one record in the form that a log has: `sequence` first and `prev` last,
 * where they can be read and checked without any JSON library's opinion on repeated names.
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

function isHash(value: unknown): boolean {
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
