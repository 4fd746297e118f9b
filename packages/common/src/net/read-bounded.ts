import type { IncomingMessage } from 'node:http';

/** Bytes in memory of their own. `Uint8Array<ArrayBuffer>` would be a syntax error before TypeScript 5.7. */
export type OwnBytes = ReturnType<Uint8Array['slice']>;

/**
 * All bytes of a body; undefined as soon as it has more than `maxBytes`. The rest is then not read: leaving the loop
 * cancels or destroys the stream.
 *
 * @throws TypeError (as a rejection) if the stream yields anything but bytes.
 */
export async function readBounded(
  body: AsyncIterable<unknown> | null,
  maxBytes: number,
): Promise<OwnBytes | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('A body stream must yield Uint8Array chunks.');
    length += chunk.byteLength;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  // Not Buffer.concat, whose result may share memory with other buffers: the agent hands these bytes to any fetch.
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

/**
 * The same of a request to a server, whose rest is read and dropped, as Node does with a body that nobody reads. Node takes
 * the socket from a request whose reader leaves the loop: whoever logs the address of the client after the answer would
 * throw, and the connection would stall.
 */
export async function readRequest(request: IncomingMessage, maxBytes: number): Promise<OwnBytes | undefined> {
  try {
    return await readBounded(request.iterator({ destroyOnReturn: false }), maxBytes);
  } finally {
    request.resume();
  }
}
