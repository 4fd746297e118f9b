import type { CloudEventsSettings } from './cloud-events-options.js';

/** The answer of a receiver. */
export type Answer =
  | { readonly kind: 'received' }
  /** The request is too large (413). */
  | { readonly kind: 'too_large'; readonly status: number }
  /** The receiver will never take these records. */
  | { readonly kind: 'refused'; readonly status: number }
  /** Any other answer: a later attempt may succeed. */
  | { readonly kind: 'later'; readonly status: number; readonly afterMilliseconds: number };

/** Malformed, unsupported, unprocessable. Other answers concern the sender, the address or the moment, not the records. */
const permanent: readonly number[] = [400, 415, 422];

/** Sends lines as one batch of CloudEvents. Rejects if there is no answer. */
export async function postEvents(
  lines: readonly string[],
  { url, authorization }: CloudEventsSettings,
  signal: AbortSignal,
): Promise<Answer> {
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
  const { ok, status, headers } = response;
  if (ok) return { kind: 'received' };
  if (status === 413) return { kind: 'too_large', status };
  if (permanent.includes(status)) return { kind: 'refused', status };
  return { kind: 'later', status, afterMilliseconds: retryAfter(headers) };
}

/** RFC 9110 §10.2.3: seconds, or a date by the receiver's clock. 0 if the field is absent or unusable. */
function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const milliseconds = /^\d+$/.test(value)
    ? Number(value) * 1000
    : Date.parse(value) - Date.parse(headers.get('date') ?? '');
  return milliseconds > 0 ? milliseconds : 0;
}
