import { isJsonObject } from '../decide/json-rpc.js';
import type { MapMessage } from '../wire/answer-filter.js';
import { parseServerJson } from '../wire/server-json.js';
import { hasLineEnd, onOneLine, serialize } from '../wire/plain-json.js';

/** Most characters of one event: a server that never ends one must not fill our memory. */
const maxEventLength = 16 * 1024 * 1024;

const mostEventLines = 100_000;

/**
 * Applies `map` to the messages of an event stream (WHATWG HTML §9.2), however the stream is cut into chunks. Each event
 * goes on as soon as it is whole; an unfinished one at the end is dropped, as clients do. A message that does not change
 * keeps its text, but for characters that end a line for some readers. Data that is no JSON object is dropped: no client takes it for a message. `sealId` changes the ids of events.
 *
 * @throws Error when an event is longer than 16 Mi characters, has too many lines, or too many parts to be parsed.
 */
export async function* filterEvents(
  chunks: AsyncIterable<Uint8Array>,
  map: MapMessage,
  sealId: (id: string) => string = (id) => id,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder();
  for await (const event of eventsOf(chunks)) {
    const filtered = await filterEvent(event, map);
    if (filtered === undefined) continue;
    const sealed = filtered.map((line) => withSealedId(line, sealId));
    yield encoder.encode(`${sealed.join('\n')}\n\n`);
  }
}

/** The lines of each event, without the blank one that ends it. */
async function* eventsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[], void, undefined> {
  const decoder = new TextDecoder();
  const lines = new Lines();
  let event: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    for (const line of lines.add(decoder.decode(chunk, { stream: true }))) {
      if (line !== '') {
        length += line.length;
        event.push(line);
      } else if (event.length > 0) {
        yield event;
        event = [];
        length = 0;
      }
    }
    if (length + lines.pendingLength > maxEventLength || event.length > mostEventLines)
      throw new Error('an event of the server is too long');
  }
}

/** Cuts text into lines that end with CR, LF or both. Each character is read once. */
class Lines {
  #pending: string[] = [];
  #endedWithReturn = false;
  pendingLength = 0;

  add(text: string): string[] {
    if (text === '') return [];
    // The line has ended with the CR of the chunk before.
    const rest = this.#endedWithReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.#endedWithReturn = text.endsWith('\r');
    const pieces = rest.split(/\r\n|\r|\n/);
    const last = pieces.pop() ?? '';
    const lines = pieces.map((piece) => this.#complete(piece));
    if (last !== '') this.#pending.push(last);
    this.pendingLength += last.length;
    return lines;
  }

  #complete(piece: string): string {
    if (this.pendingLength === 0) return piece;
    const line = [...this.#pending, piece].join('');
    this.#pending = [];
    this.pendingLength = 0;
    return line;
  }
}

async function filterEvent(lines: string[], map: MapMessage): Promise<string[] | undefined> {
  const data = lines.filter(isData).map(dataOf).join('\n');
  const others = lines.filter((line) => !isData(line) && !hasLineEnd(line));
  // Comments, and the event that primes the client with an id.
  if (data.trim() === '') return [...others, ...lines.filter((line) => isData(line) && !hasLineEnd(line))];
  const message = parsed(data);
  if (!isJsonObject(message) && !Array.isArray(message)) return undefined;
  const mapped = await map(message);
  if (mapped === undefined) return undefined;
  return [...others, ...(mapped === message ? lines.filter(isData).map(onOneLine) : [`data: ${serialize(mapped)}`])];
}

function withSealedId(line: string, sealId: (id: string) => string): string {
  const [, id = ''] = /^id: ?(.*)$/.exec(line) ?? [];
  return id === '' ? line : `id: ${sealId(id)}`;
}

function isData(line: string): boolean {
  return line === 'data' || line.startsWith('data:');
}

function dataOf(line: string): string {
  return line.slice('data:'.length).replace(/^ /, '');
}

function parsed(text: string): unknown {
  try {
    return parseServerJson(text);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return undefined;
  }
}
