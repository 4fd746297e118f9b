import type { IncomingMessage } from 'node:http';
import { BadRequest } from './answer.js';
import { readBody } from './body.js';

export interface Form {
  readonly parameters: URLSearchParams;
  /** Undefined: a parser of the application has read the body already. */
  readonly bytes?: Uint8Array;
}

/** The form in the body. @throws BadRequest */
export async function readForm(
  request: IncomingMessage & { readonly body?: unknown },
  maxBytes: number,
): Promise<Form> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new BadRequest(415, 'invalid_request', 'send application/x-www-form-urlencoded');
  }
  const body = await readBody(request, maxBytes);
  if (body === undefined) throw new BadRequest(413, 'invalid_request', `a body has at most ${maxBytes} bytes`);
  if (!(body instanceof Uint8Array)) {
    const entries = Object.entries(body).flatMap(([name, value]) =>
      [value].flat().map((each): [string, string] => [name, String(each)]),
    );
    return { parameters: new URLSearchParams(entries) };
  }
  return { parameters: new URLSearchParams(Buffer.from(body).toString('utf8')), bytes: body };
}

/** The DPoP proof of a request. Node joins several, which is then none. */
export function dpopOf({ headers }: IncomingMessage): string | undefined {
  const proof = headers['dpop'];
  return typeof proof === 'string' ? proof : proof?.join();
}

/** In one pass: `getAll` for each name would take a stranger's long form quadratic time. */
export function isAnyRepeated(parameters: URLSearchParams): boolean {
  return new Set(parameters.keys()).size < parameters.size;
}
