import { leafHash } from './merkle.js';

/** One line of a log, as far as its integrity goes. */
export interface LogLine {
  /** What the record says its place is. */
  readonly sequence: number;
  /** The leaf hash of the line before, in hexadecimal, as the record says. */
  readonly prev: string;
  readonly hash: Buffer;
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

/**
 * Reads a line. Undefined if it is not one record in the form that a log has: `sequence` first and `prev` last, where
 * they can be read and checked without any JSON library's opinion on repeated names.
 */
export function readLogLine(bytes: Buffer): LogLine | undefined {
  if (bytes.length > maxLineBytes) return undefined;
  const text = bytes.toString('utf8');
  const [, sequence = ''] = /^\{"sequence":([1-9][0-9]{0,15}),/.exec(text.slice(0, 40)) ?? [];
  const [, prev = ''] = /^,"prev":"([0-9a-f]{64})"\}$/.exec(text.slice(-75)) ?? [];
  const record = parseObject(text);
  if (prev === '' || record?.['sequence'] !== Number(sequence) || record['prev'] !== prev) return undefined;
  return { sequence: Number(sequence), prev, hash: leafHash(bytes), record };
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
