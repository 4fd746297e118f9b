/**
 * What comes first: the result, or the end of the signal, by which it rejects. What is awaited may not look at the signal,
 * and never settle.
 */
export async function orAborted<Result>(result: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const settled = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', end, { once: true, signal: settled.signal });
    if (signal.aborted) end();
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    settled.abort();
  }
}
