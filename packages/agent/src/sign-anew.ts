import { setTimeout } from 'node:timers/promises';

/** An API asks for one second. The caller decides about a longer wait. */
const longestWaitSeconds = 5;

/** Longer than the body of any refusal. */
const maxRefusalBytes = 4096;

/**
 * Seconds to wait before the request is signed and sent again; undefined if the answer does not ask for that. Only
 * `replay_unknown` does: the API did not execute the request, and does not know whether it did before its restart.
 */
export async function secondsUntilSignedAnew(response: Response): Promise<number | undefined> {
  if (response.status !== 503) return undefined;
  if (response.headers.get('content-type')?.startsWith('application/problem+json') !== true) return undefined;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  if (!(seconds >= 0 && seconds <= longestWaitSeconds)) return undefined;
  return (await codeOf(response.clone())) === 'replay_unknown' ? seconds : undefined;
}

/** Rejects with the reason of the signal if that aborts first, as `fetch` does. */
export async function wait(seconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(seconds * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** The `code` of problem details (RFC 9457); undefined if there is none. */
async function codeOf({ body }: Response): Promise<unknown> {
  try {
    const text = body === null ? '' : await textOf(body.getReader());
    return (JSON.parse(text) as { readonly code?: unknown } | null)?.code;
  } catch {
    return undefined;
  }
}

/** Reads at most the length of a refusal. */
async function textOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += decoder.decode(read.value, { stream: true });
    if (text.length <= maxRefusalBytes) continue;
    // Not awaited: the cancellation of a cloned body settles only after the original is read or cancelled.
    void reader.cancel();
    return '';
  }
  return text;
}
