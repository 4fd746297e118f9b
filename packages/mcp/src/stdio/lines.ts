import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';
import type { Writable } from 'node:stream';
import { onOneLine } from '../wire/plain-json.js';

/** Most characters of one message. */
const maxLineLength = 16 * 1024 * 1024;

/**
 * The messages of a stream: its lines that are not blank.
 *
 * @throws Error when a line is longer than 16 Mi characters.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let pending: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const pieces = decoder.write(Buffer.from(chunk)).split('\n');
    const last = pieces.pop() ?? '';
    for (const piece of pieces) {
      const line = [...pending, piece].join('').replace(/\r$/, '');
      pending = [];
      length = 0;
      if (line.trim() !== '') yield line;
    }
    pending.push(last);
    length += last.length;
    if (length > maxLineLength) throw new Error('a message is too long');
  }
}

/**
 * Writes one message of JSON as one line for every reader, also for those that end lines at CR. Waits for a slow reader
 * until the signal aborts. A reader that has gone is no error.
 */
export async function writeLine(to: Writable, json: string, until: AbortSignal): Promise<void> {
  if (to.destroyed || to.writableEnded || to.write(`${onOneLine(json)}\n`) || until.aborted) return;
  const done = new AbortController();
  const { signal } = done;
  const waiting = [once(to, 'drain', { signal }), once(to, 'close', { signal }), once(until, 'abort', { signal })];
  await Promise.race(waiting.map((event) => event.catch(() => undefined)));
  done.abort();
}
