import { readRequest } from '@countersign/common';
import type { IncomingMessage } from 'node:http';

export type BodyReading =
  | { readonly ok: true; readonly bytes: Uint8Array }
  /** `taken`: something else has read it, a body parser for instance. `cut`: it did not come whole. */
  | { readonly ok: false; readonly problem: 'taken' | 'cut' | 'too_large' };

/** Reads the body of a request that a guard admitted. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<BodyReading> {
  if (request.readableEnded || request.readableDidRead) return { ok: false, problem: 'taken' };
  try {
    const bytes = await readRequest(request, maxBytes);
    return bytes === undefined ? { ok: false, problem: 'too_large' } : { ok: true, bytes };
  } catch {
    return { ok: false, problem: 'cut' };
  }
}
