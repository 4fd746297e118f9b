import { readFence } from './fence.js';
import { listSegments, readLines } from './log-folder.js';
import { type LogLine, maxLineBytes, readLogLine } from './log-line.js';
import { leafHash } from './merkle.js';

/** Where a line stands. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface PlacedLine {
  readonly bytes: Buffer;
  readonly hash: Buffer;
  /** Undefined if the line is no record. */
  readonly line: LogLine | undefined;
  readonly place: Place;
}

/** Reads the lines of a log in order, in blocks. What stands at an end and is no whole line goes to `remark`. */
export async function* readLog(
  directory: string,
  remark: (text: string) => void,
): AsyncGenerator<readonly PlacedLine[], void, undefined> {
  const segments = await listSegments(directory);
  // A first record that says of the segment before what is not so is no record.
  let startIsWrong = false;
  for (const [index, { file, path }] of segments.entries()) {
    const next = segments[index + 1];
    const { validBytes, broken } = next === undefined ? { broken: false } : await readFence(path, next.path);
    let count = 0;
    const placed = (bytes: Buffer): PlacedLine => {
      const line = startIsWrong && count === 0 ? undefined : readLogLine(bytes);
      return { bytes, hash: line?.hash ?? leafHash(bytes), line, place: { file, line: ++count } };
    };
    for await (const { lines, rest } of readLines(path, validBytes)) {
      yield lines.map(placed);
      // Only the last segment may end so: it is being written, or a crash has just torn it.
      if (rest !== undefined && next !== undefined) yield [placed(rest)];
      else if (rest !== undefined) remark(`${file} ends with ${counted(rest.length)} bytes that are no whole record.`);
    }
    if (validBytes !== undefined) remark(`${file} is void from byte ${validBytes} on, as the next segment says.`);
    startIsWrong = broken;
  }
}

function counted(bytes: number): string {
  return bytes > maxLineBytes ? `more than ${maxLineBytes}` : String(bytes);
}
