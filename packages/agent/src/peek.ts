/** The start of a body, and the response for the caller, whose body still has that start. */
export interface Peeked {
  /** The complete body; undefined if it is longer than the limit or could not be read. */
  readonly text: string | undefined;
  readonly response: Response;
}

/**
 * Reads a body until its end, or until more than `maxBytes` have arrived. No clone: cancelling one branch of a clone
 * waits for the other, and rejects where nobody listens if the signal of the request aborts later.
 */
export async function peek(response: Response, maxBytes: number): Promise<Peeked> {
  if (response.body === null) return { text: '', response };
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  const text = await readText(reader, chunks, maxBytes).catch(() => undefined);
  const rebuilt = new Response(bodyOf(chunks, reader), response);
  return { text, response: likeOriginal(rebuilt, response) };
}

async function readText(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  chunks: Uint8Array[],
  maxBytes: number,
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let [text, length] = ['', 0];
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    chunks.push(read.value);
    length += read.value.byteLength;
    if (length > maxBytes) return undefined;
    text += decoder.decode(read.value, { stream: true });
  }
  return text + decoder.decode();
}

/** The chunks that were read, then the rest. An error of the rest reaches whoever reads it. */
function bodyOf(chunks: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = chunks.shift() ?? (await reader.read()).value;
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    // Nothing is read ahead of the caller.
    { highWaterMark: 0 },
  );
}

/** The constructor of Response does not take these. */
function likeOriginal(rebuilt: Response, { url, redirected, type }: Response): Response {
  return Object.defineProperties(rebuilt, {
    url: { value: url },
    redirected: { value: redirected },
    type: { value: type },
    clone: { value: () => likeOriginal(Response.prototype.clone.call(rebuilt), { url, redirected, type } as Response) },
  });
}
