import { readFence } from './fence.js';
import { listSegments, readLines } from './log-folder.js';
import { type LineFrame, type LogLine, maxLineBytes, readFrame, readLogLine } from './log-line.js';
import { leafHash } from './merkle.js';

/** The position of a line. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A line of a log. It is parsed on demand: for most lines the two ends are enough. */
export class PlacedLine {
  readonly bytes: Buffer;
  readonly place: Place;
  readonly #isVoid: boolean;
  #line: LogLine | undefined;

  constructor(bytes: Buffer, place: Place, isVoid: boolean) {
    this.bytes = bytes;
    this.place = place;
    this.#isVoid = isVoid;
  }

  /** Its leaf hash; computed on each access. */
  get hash(): Buffer {
    return leafHash(this.bytes);
  }

  /** Its two ends. Undefined if it does not have the form of a record. */
  get frame(): LineFrame | undefined {
    return this.#isVoid ? undefined : readFrame(this.bytes);
  }

  /** The parsed line. Undefined if it is not a record. */
  get line(): LogLine | undefined {
    if (!this.#isVoid) this.#line ??= readLogLine(this.bytes);
    return this.#line;
  }
}

/** Reads the lines of a log in order, in blocks. Incomplete last lines and void bytes are passed to `remark`. */
export async function* readLog(
  directory: string,
  remark: (text: string) => void,
): AsyncGenerator<readonly PlacedLine[], void, undefined> {
  const segments = await listSegments(directory);
  // A first record with a false claim about the segment before is not a record.
  let startIsWrong = false;
  for (const [index, { file, path }] of segments.entries()) {
    const next = segments[index + 1];
    const { validBytes, broken } = next === undefined ? { broken: false } : await readFence(path, next.path);
    let count = 0;
    const placed = (bytes: Buffer): PlacedLine => {
      count += 1;
      return new PlacedLine(bytes, { file, line: count }, startIsWrong && count === 1);
    };
    for await (const { lines, rest } of readLines(path, validBytes)) {
      yield lines.map(placed);
      // Only the last segment may end without a newline: it is being written, or a crash tore it.
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
