import { setTimeout } from 'node:timers/promises';
import { peek } from './peek.js';

/** An API asks for one second. The caller decides about a longer wait. */
const longestWaitSeconds = 5;

/** Longer than the body of any refusal, and a body that takes longer than the wait is not read ahead of the caller. */
const refusalLimits = { maxBytes: 4096, seconds: longestWaitSeconds };

/** A shared store asks for it until its clock skew is over. After longer waits, it is another trouble than a restart. */
const mostSignedAnew = 3;

/** Sends a request, and again, signed anew, as long as the answer asks for it. */
export async function sendOrSignAnew(send: () => Promise<Response>, signal: AbortSignal | null): Promise<Response> {
  for (let attempt = 0; attempt < mostSignedAnew; attempt++) {
    const { response, signAnewAfter } = await checkAnswer(await send());
    if (signAnewAfter === undefined) return response;
    await wait(signAnewAfter * 2 ** attempt, signal);
  }
  return await send();
}

/** An answer that was checked, for the caller to use in place of the one that was received. */
interface CheckedAnswer {
  readonly response: Response;
  /**
   * Seconds to wait before the request is signed and sent again; undefined if the answer does not ask for that. Only
   * `replay_unknown` does: the API did not execute the request, and does not know whether it did before its restart.
   */
  readonly signAnewAfter: number | undefined;
}

async function checkAnswer(received: Response): Promise<CheckedAnswer> {
  const seconds = secondsIfRefused(received);
  if (seconds === undefined) return { response: received, signAnewAfter: undefined };
  const { text, response } = await peek(received, refusalLimits);
  return { response, signAnewAfter: codeOf(text) === 'replay_unknown' ? seconds : undefined };
}

function secondsIfRefused({ status, headers }: Response): number | undefined {
  if (status !== 503 || headers.get('content-type')?.startsWith('application/problem+json') !== true) return undefined;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return seconds >= 0 && seconds <= longestWaitSeconds ? seconds : undefined;
}

/** Rejects with the reason of the signal if that aborts first, as `fetch` does. */
export async function wait(seconds: number, signal: AbortSignal | null): Promise<void> {
  await setTimeout(seconds * 1000, undefined, signal === null ? {} : { signal }).catch(() => signal?.throwIfAborted());
}

/** The `code` of problem details (RFC 9457); undefined if there is none. */
function codeOf(text = ''): unknown {
  try {
    return (JSON.parse(text) as { readonly code?: unknown } | null)?.code;
  } catch {
    return undefined;
  }
}
