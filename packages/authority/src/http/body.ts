import type { IncomingMessage } from 'node:http';
import { isJsonObject, type JsonObject, readRequest } from '@countersign/common';

/**
 * The body of a request: its bytes, or what a parser of the application made of it, if one has read it already. A parser
 * may also leave the bytes or the text. Undefined: it is longer.
 */
export async function readBody(
  request: IncomingMessage & { readonly body?: unknown },
  maxBytes: number,
): Promise<Uint8Array | JsonObject | undefined> {
  const { body } = request;
  if (!request.readable) {
    if (typeof body === 'string') return bounded(Buffer.from(body), maxBytes);
    if (body instanceof Uint8Array) return bounded(body, maxBytes);
    if (isJsonObject(body)) return body;
  }
  return await readRequest(request, maxBytes);
}

function bounded(bytes: Uint8Array, maxBytes: number): Uint8Array | undefined {
  return bytes.length > maxBytes ? undefined : bytes;
}
