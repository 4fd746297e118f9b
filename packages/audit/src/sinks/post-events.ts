import type { CloudEventsSettings } from './cloud-events-options.js';

/** What a receiver answered. */
export type Answer =
  | { readonly kind: 'received' }
  /** Too much at once (413). */
  | { readonly kind: 'too_large'; readonly status: number }
  /** Not these records, however often they are sent. */
  | { readonly kind: 'refused'; readonly status: number }
  /** Whatever else: another time it may go well, if somebody sees to it. */
  | { readonly kind: 'later'; readonly status: number; readonly afterMilliseconds: number };

/** About what was sent: malformed, an unsupported form, unprocessable. All others are about who sends, where and when. */
const forGood: readonly number[] = [400, 415, 422];

/** Sends lines as one batch of CloudEvents. Rejects when there is no answer. */
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
  if (forGood.includes(status)) return { kind: 'refused', status };
  return { kind: 'later', status, afterMilliseconds: retryAfter(headers) };
}

/** RFC 9110 §10.2.3: seconds, or a date, which the receiver's own clock explains. 0 if it says nothing of use. */
function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const milliseconds = /^\d+$/.test(value)
    ? Number(value) * 1000
    : Date.parse(value) - Date.parse(headers.get('date') ?? '');
  return milliseconds > 0 ? milliseconds : 0;
}
