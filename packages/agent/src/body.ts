import { type OwnBytes, readBounded } from '@countersign/common';
import { AgentError } from './agent-error.js';

/** The exact bytes that a body puts on the wire, or undefined if there is none. Stops reading at the limit. */
export async function bodyBytes(request: Request, maxBytes: number): Promise<OwnBytes | undefined> {
  if (request.body === null) return undefined;
  const bytes = await readBounded(request.body, maxBytes);
  if (bytes === undefined) throw tooLarge(maxBytes);
  return bytes;
}

export function refuseTooLarge(length: number, maxBytes: number): void {
  if (length > maxBytes) throw tooLarge(maxBytes);
}

function tooLarge(maxBytes: number): AgentError {
  return new AgentError(
    'body_too_large',
    `The body has more than ${maxBytes} bytes. It is held in memory to be signed; raise maxBodyBytes to send it.`,
  );
}
