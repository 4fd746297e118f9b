import { AgentError } from './agent-error.js';

/** The exact bytes that a body puts on the wire, or undefined if there is none. Stops reading at the limit. */
export async function bodyBytes(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (request.body === null) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body as AsyncIterable<unknown>) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('A body stream must yield Uint8Array chunks.');
    length += chunk.byteLength;
    refuseTooLarge(length, maxBytes);
    chunks.push(chunk);
  }
  return concatenate(chunks, length);
}

export function refuseTooLarge(length: number, maxBytes: number): void {
  if (length <= maxBytes) return;
  throw new AgentError(
    'body_too_large',
    `The body has more than ${maxBytes} bytes. It is held in memory to be signed; raise maxBodyBytes to send it.`,
  );
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
