import { closeSync, openSync, readFileSync } from 'node:fs';
import {
  Frontier,
  hasKnownForm,
  leafHash,
  type LogLine,
  readHeader,
  readLogLine,
  type SegmentHeader,
} from '@countersign/audit-verifier';
import { ConfigError } from '@countersign/common';
import { LogChain } from './log-chain.js';
import { readBytes } from '../disk/read-bytes.js';
import { maxLineBytes } from '../record/plain-json.js';

const newline = 0x0a;

/** The end of a log, as read at the start. */
export interface LogEnd {
  readonly chain: LogChain;
  /** The last segment. */
  readonly number: number;
  readonly path: string;
  /** Bytes of complete records in it; `torn`: the bytes behind, which were never acknowledged. */
  readonly validBytes: number;
  readonly torn: Buffer;
  /** Where its records without a checkpoint begin, and their bytes. */
  readonly sealedBytes: number;
  readonly unsealed: Buffer;
  /** Start of the segment, in milliseconds since the epoch. */
  readonly startedAt: number;
}

interface Segment {
  readonly number: number;
  readonly path: string;
}

/**
 * Reads the segments back to the last checkpoint. Their records must be linked and match the checkpoint; only the very
 * end may be torn.
 *
 * @returns undefined if there is no record.
 * @throws ConfigError if a record is missing or wrong: such a log is not continued.
 */
export function readLogEnd(
  segments: readonly Segment[],
  sealed: { readonly size: number; readonly root: Buffer } | undefined,
): LogEnd | undefined {
  const starts = segments.map(readStart);
  const last = starts.at(-1);
  if (last === undefined) return undefined;
  const from = starts.findLastIndex(({ header }) => header.size <= (sealed?.size ?? header.size));
  const { header, line } = starts[from] ?? last;
  const chain = new LogChain(new Frontier(header.size, header.frontier.map(fromHex)), line.prev);
  let agrees = sealed === undefined;
  let sealedBytes = 0;
  const checkRecord: CheckRecord = (claimed, end) => {
    // The first checkpoint precedes the second record, and a checkpoint is durable before the log mentions it.
    if (chain.size > 1 && sealed === undefined) throw unsealed(last.path);
    if (claimed > (sealed?.size ?? 0)) throw unsealed(last.path);
    if (sealed?.size !== chain.size) return;
    if (!chain.root.equals(sealed.root)) throw new ConfigError(notAsSealed(last.path, sealed.size));
    agrees = true;
    sealedBytes = end;
  };
  checkRecord(0, 0);
  let bytes = Buffer.alloc(0);
  let validBytes = 0;
  for (const [index, segment] of starts.slice(Math.max(0, from)).entries()) {
    const next = starts[Math.max(0, from) + index + 1];
    bytes = readFileSync(segment.path).subarray(0, next?.header.fenced?.validBytes);
    sealedBytes = 0;
    validBytes = addRecords(bytes, chain, segment.path, next === undefined, checkRecord);
  }
  if (!agrees) throw new ConfigError(shorter(last.path, chain.size, sealed?.size ?? 0));
  const { number, path } = last;
  const startedAt = Date.parse(String(last.line.record['time']));
  const end = { sealedBytes, unsealed: bytes.subarray(sealedBytes, validBytes), torn: bytes.subarray(validBytes) };
  return { chain, number, path, validBytes, startedAt, ...end };
}

/** Called after each record, with the size of the checkpoint that it mentions (or 0), and its end in the segment. */
type CheckRecord = (claimed: number, end: number) => void;

function claimedSize({ record }: LogLine): number {
  const { phase, checkpoint } = record as { phase?: unknown; checkpoint?: { size?: unknown } };
  return phase === 'checkpoint' ? Number(checkpoint?.size) : 0;
}

/** Adds the records of a segment to the chain; returns where they end. */
function addRecords(bytes: Buffer, chain: LogChain, path: string, isLast: boolean, checkRecord: CheckRecord): number {
  let start = 0;
  let number = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    number += 1;
    const lineBytes = bytes.subarray(start, end);
    const line = readLogLine(lineBytes);
    if (line === undefined || line.prev !== chain.prev || line.sequence !== chain.size + 1) {
      // A torn block can end with a newline too, but then no record follows. If a power loss took one block and kept
      // later ones, the block is zeros, which no line of ours contains.
      const isTorn = bytes.indexOf(newline, end + 1) < 0 || bytes.subarray(start, end).includes(0);
      if (isLast && isTorn) return start;
      throw broken(path, number);
    }
    if (!hasKnownForm(line.record)) throw broken(path, number);
    chain.push(leafHash(lineBytes));
    start = end + 1;
    checkRecord(claimedSize(line), start);
  }
  if (start < bytes.length && !isLast) throw broken(path, number + 1);
  return start;
}

interface SegmentStart extends Segment {
  readonly header: SegmentHeader;
  readonly line: LogLine;
}

function readStart({ number, path }: Segment): SegmentStart {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = readBytes(descriptor, 0, maxLineBytes);
    const line = readLogLine(bytes.subarray(0, Math.max(0, bytes.indexOf(newline))));
    const header = readHeader(line?.record);
    if (line === undefined || header === undefined || !hasKnownForm(line.record)) throw broken(path, 1);
    return { number, path, header, line };
  } finally {
    closeSync(descriptor);
  }
}

function fromHex(hash: string): Buffer {
  return Buffer.from(hash, 'hex');
}

function broken(path: string, line: number): ConfigError {
  return new ConfigError(
    `auditFile: line ${line} of '${path}' does not follow from the records before it. Somebody has changed the log, ` +
      'or it is none of ours. Verify it, move the folder away, and find out who wrote to it.',
  );
}

function unsealed(path: string): ConfigError {
  return new ConfigError(
    `auditFile: checkpoints of '${path}' are missing. If another process has just taken the folder over, start again. ` +
      'Otherwise put them back, or verify the log, move the folder away, and find out who removed them.',
  );
}

function notAsSealed(path: string, size: number): string {
  return (
    `auditFile: '${path}' is not the log that was sealed: its first ${size} records are others than those of its ` +
    'last checkpoint. Verify it, move the folder away, and find out who wrote to it.'
  );
}

function shorter(path: string, size: number, sealed: number): string {
  return (
    `auditFile: '${path}' ends with record ${size}, but ${sealed} records were sealed. Records are missing. ` +
    'Verify the log, move the folder away, and find out who wrote to it.'
  );
}

/** The name of a log, from its first segment. */
export function originOf(segments: readonly Segment[]): string | undefined {
  return segments[0] === undefined ? undefined : readStart(segments[0]).header.origin;
}
