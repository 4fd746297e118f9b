import { reasonOf } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';

/** The answer of a receiver. */
export type Answer =
  | { readonly kind: 'received' }
  /** The request is too large (413). */
  | { readonly kind: 'too_large'; readonly reason: string }
  /** The receiver says that it will never take these records. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The receiver wants fewer requests, or none for some time (429, Retry-After). It says nothing about the records. */
  | { readonly kind: 'busy'; readonly reason: string; readonly afterMilliseconds: number }
  /** Any other answer, or none. */
  | {
      readonly kind: 'failed';
      readonly reason: string;
      /** Whether such an answer hardly comes from a receiver that is half down. */
      readonly concernsContent: boolean;
    };

/** Malformed, unsupported, unprocessable. Other answers mostly concern the sender, the address or the moment. */
const permanent: readonly number[] = [400, 415, 422];

/** Sends lines as one batch of CloudEvents. Never rejects. */
export async function postEvents(
  lines: readonly string[],
  { url, authorization }: CloudEventsSettings,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/cloudevents-batch+json; charset=utf-8',
        ...(authorization === undefined ? {} : { Authorization: authorization }),
      },
      body: `[${lines.join(',')}]`,
      redirect: 'error',
      signal,
    });
    await response.body?.cancel();
    return answerOf(response);
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error), concernsContent: false };
  }
}

function answerOf({ ok, status, headers }: Response): Answer {
  if (ok) return { kind: 'received' };
  const reason = `it answered ${status}`;
  const afterMilliseconds = retryAfter(headers);
  if (status === 429 || afterMilliseconds > 0) return { kind: 'busy', reason, afterMilliseconds };
  if (status === 413) return { kind: 'too_large', reason };
  if (permanent.includes(status)) return { kind: 'refused', reason };
  return { kind: 'failed', reason, concernsContent: status < 500 && status !== 408 };
}

/** RFC 9110 §10.2.3: seconds, or a date by the receiver's clock. 0 if the field is absent or unusable. */
function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const milliseconds = /^\d+$/.test(value)
    ? Number(value) * 1000
    : Date.parse(value) - Date.parse(headers.get('date') ?? '');
  return milliseconds > 0 ? milliseconds : 0;
}
