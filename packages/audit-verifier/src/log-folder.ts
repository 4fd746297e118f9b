import { createReadStream } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { maxLineBytes } from './log-line.js';

/** Name of the file of checkpoints in the folder of a log. */
export const checkpointsFileName = 'checkpoints.txt';

const newline = 0x0a;
const blockBytes = 1024 * 1024;

/** The file name of a segment. The names sort in order up to the millionth segment. */
export function segmentName(number: number): string {
  return `audit-${String(number).padStart(6, '0')}.jsonl`;
}

/** The number in the file name of a segment; undefined if it is another file. */
function segmentNumber(file: string): number | undefined {
  const [, digits] = /^audit-([0-9]{6,})\.jsonl$/.exec(file) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** The segments among the files of a folder, in order. */
export function segmentsAmong(files: readonly string[]): { readonly number: number; readonly file: string }[] {
  return files
    .map((file) => ({ number: segmentNumber(file) ?? 0, file }))
    .filter(({ number }) => number > 0)
    .toSorted((a, b) => a.number - b.number);
}

/** The segments in a folder, in order. */
export async function listSegments(directory: string): Promise<{ readonly file: string; readonly path: string }[]> {
  const { files } = await listFolder(directory);
  return segmentsAmong(files).map(({ file }) => ({ file, path: join(directory, file) }));
}

/**
 * Folders, pipes and links under the name of a file of the log. They are never opened: a pipe would never end, and a link
 * leads to a file that somebody else writes.
 */
export async function listFalseFiles(directory: string): Promise<string[]> {
  const { others } = await listFolder(directory);
  return others.filter((name) => name === checkpointsFileName || segmentNumber(name) !== undefined);
}

/** The text of the checkpoints in the folder; empty if there are none or they cannot be read. */
export async function readCheckpointsFile(directory: string): Promise<string> {
  const { files } = await listFolder(directory);
  if (!files.includes(checkpointsFileName)) return '';
  return await readFile(join(directory, checkpointsFileName), 'utf8').catch(() => '');
}

async function listFolder(directory: string): Promise<{ readonly files: string[]; readonly others: string[] }> {
  const entries = await readdir(directory, { withFileTypes: true });
  const named = (those: typeof entries): string[] => those.map(({ name }) => name);
  return {
    files: named(entries.filter((entry) => entry.isFile())),
    others: named(entries.filter((entry) => !entry.isFile())),
  };
}

/**
 * The complete lines of a file, without newlines, in blocks; last the bytes behind the last newline, if any. A line that is
 * too long is kept only so far that its length shows.
 */
export async function* readLines(
  path: string,
  maxBytes: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<{ readonly lines: readonly Buffer[]; readonly rest?: Buffer }, void, undefined> {
  if (maxBytes === 0) return;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: blockBytes, end: maxBytes - 1 })) {
    const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      lines.push(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bytes.subarray(start, start + maxLineBytes + 1);
    yield { lines };
  }
  if (rest.length > 0) yield { lines: [], rest };
}

/** The first line of a segment, complete or not. */
export async function readFirstLine(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxLineBytes), 0, maxLineBytes, 0);
    const end = buffer.subarray(0, bytesRead).indexOf(newline);
    return buffer.subarray(0, end < 0 ? bytesRead : end);
  } finally {
    await file.close();
  }
}
