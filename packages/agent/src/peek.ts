import { withTimeout } from '@countersign/common';

type Read = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>;

/** The limits of what is read ahead of the caller. */
export interface PeekLimits {
  readonly maxBytes: number;
  readonly seconds: number;
}

/** The start of a body, and the response for the caller, whose body still has that start. */
export interface Peeked {
  /** The complete body; undefined if it is longer than the limits or could not be read. */
  readonly text: string | undefined;
  readonly response: Response;
}

/**
 * Reads a body until its end, or until more than `maxBytes` have arrived or `seconds` have passed. No clone: cancelling one branch of a clone
 * waits for the other, and rejects where nobody listens if the signal of the request aborts later.
 */
export async function peek(response: Response, { maxBytes, seconds }: PeekLimits): Promise<Peeked> {
  if (response.body === null) return { text: '', response };
  const reader = response.body.getReader();
  const reads: Promise<Read>[] = [];
  let isLate = false;
  const read = async (): Promise<Read> => {
    const next = reader.read();
    reads.push(next);
    return await next;
  };
  const text = await withTimeout(
    seconds * 1000,
    readText(read, () => isLate, maxBytes).catch(() => undefined),
    () => {
      isLate = true;
      return undefined;
    },
  );
  const { status, headers } = response;
  const rebuilt = new Response(bodyOf(reads, reader), { status, headers });
  return { text, response: likeOriginal(rebuilt, response) };
}

async function readText(
  read: () => Promise<Read>,
  isLate: () => boolean,
  maxBytes: number,
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let [text, length] = ['', 0];
  for (let { done, value } = await read(); !done; { done, value } = await read()) {
    length += value?.byteLength ?? 0;
    // After the time limit the caller reads.
    if (length > maxBytes || isLate()) return undefined;
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

/** What was read, then the rest. An error of it reaches the caller. */
function bodyOf(reads: Promise<Read>[], reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await (reads.shift() ?? reader.read());
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    // Nothing is read ahead of the caller.
    { highWaterMark: 0 },
  );
}

/** The constructor of Response does not take these, nor each reason phrase that a server may send. */
function likeOriginal(rebuilt: Response, { url, redirected, type, statusText }: Response): Response {
  const original = { url, redirected, type, statusText } as Response;
  return Object.defineProperties(rebuilt, {
    url: { value: url },
    redirected: { value: redirected },
    type: { value: type },
    statusText: { value: statusText },
    clone: { value: () => likeOriginal(Response.prototype.clone.call(rebuilt), original) },
  });
}
