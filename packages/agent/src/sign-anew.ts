import { setTimeout } from 'node:timers/promises';

/** An API asks for one second. A longer wait is for the caller to decide. */
const longestWaitSeconds = 5;

/** Longer than the body of any refusal. */
const maxRefusalBytes = 4096;

/**
 * How many seconds to wait before the request is signed anew and sent again. Undefined: the answer asks for nothing of
 * the kind. Only `replay_unknown` does: the API did not carry the request out, and cannot tell whether it did so before
 * its restart.
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

/** Reads no more than a refusal has. */
async function textOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += decoder.decode(read.value, { stream: true });
    if (text.length <= maxRefusalBytes) continue;
    // Not awaited: of a cloned body it settles only once the original is read or cancelled, too.
    void reader.cancel();
    return '';
  }
  return text;
}
