import type { IncomingMessage } from 'node:http';
import { boundJson, errorMessage, escapeUnprintable, isPromise } from '@countersign/common';
import type { Authentication } from '../guard/authentication.js';
import type { Refusal } from '../model/refusal.js';
import { admissionOf } from './admission.js';

/** The part of a logger that is used: that of pino, and of Fastify. */
export interface RefusalLogger {
  info(fields: object, message: string): unknown;
  error(fields: object, message: string): unknown;
}

type Rejected = Extract<Authentication, { ok: false }>;

/** Most bytes of each text: a stranger chooses them. */
const longestText = 256;

/**
 * Writes one line about a refusal into the log of the application: `info`, and `error` if the answer is 500 or above, as
 * frameworks log requests. Never tokens, signatures or queries. `rejected`: of a request whose caller was not verified.
 */
export function logRefusal(
  logger: RefusalLogger | undefined,
  request: IncomingMessage & { readonly id?: unknown },
  refused: Refusal,
  rejected?: Rejected,
): void {
  if (logger === undefined) return;
  const admission = admissionOf(request);
  const { code, recordedAs = code, status } = refused;
  const fields = printable({
    code: recordedAs,
    requestId: rejected?.requestId ?? admission?.requestId,
    agent: admission?.caller?.actor.id,
    claimedAgent: rejected?.claimed?.agent,
    claimedKeyId: rejected?.claimed?.keyId,
  });
  try {
    // What pino-http names the request, and often takes from a field of it.
    const reqId = printable({ reqId: typeof request.id === 'object' ? undefined : request.id });
    const level = status < 500 ? 'info' : 'error';
    const written: unknown = logger[level](
      { ...reqId, countersign: fields },
      `countersign: refused with ${recordedAs}`,
    );
    if (isPromise(written)) written.then(undefined, () => {});
  } catch {
    // The log of the application has no say in an answer.
  }
}

function printable(texts: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([name, text]) =>
      text === undefined ? [] : [[name, escapeUnprintable(boundJson(errorMessage(text), longestText))]],
    ),
  );
}
