import type { IncomingMessage } from 'node:http';

export type BodyReading =
  | { readonly ok: true; readonly bytes: Uint8Array }
  /** `taken`: something else has read it, a body parser for instance. `cut`: it did not come whole. */
  | { readonly ok: false; readonly problem: 'taken' | 'cut' | 'too_large' };

/** Reads the body of a request that a guard admitted. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<BodyReading> {
  if (request.readableEnded || request.readableDidRead) return { ok: false, problem: 'taken' };
  try {
    return await readBounded(request, maxBytes);
  } catch {
    return { ok: false, problem: 'cut' };
  }
}

/** Reads at most so many bytes. Rejects as `chunks` does. */
export async function readBounded(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<BodyReading> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > maxBytes) return { ok: false, problem: 'too_large' };
    parts.push(chunk);
  }
  return { ok: true, bytes: Buffer.concat(parts) };
}
