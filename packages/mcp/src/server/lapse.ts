import type { ServerResponse } from 'node:http';
import type { Caller, Guard } from '@countersign/core';
import { cutOff, whenClosed } from './node-messages.js';

/** How often it is checked whether the caller of a silent stream still counts. */
export const revalidateMilliseconds = 5000;

/** Ends a response of Node once its caller has expired or was revoked. */
export function endWhenLapsed(guard: Guard, caller: Caller, response: ServerResponse): void {
  const timer = setInterval(() => {
    void guard.revalidate(caller).then((lapsed) => {
      if (lapsed === undefined) return;
      clearInterval(timer);
      cutOff(response);
    });
  }, revalidateMilliseconds).unref();
  whenClosed(response, () => clearInterval(timer));
}

/**
 * The response, whose stream ends with its caller. Nothing more is sent to a caller who has ended meanwhile. `ended` is
 * called when nothing more comes.
 */
export function endingWithCaller(guard: Guard, caller: Caller, response: Response, ended = (): void => {}): Response {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) {
    ended();
    return response;
  }
  const reader = response.body.getReader();
  let timer: NodeJS.Timeout | undefined;
  async function endIfLapsed(controller: ReadableStreamDefaultController<Uint8Array>): Promise<boolean> {
    if ((await guard.revalidate(caller)) === undefined) return false;
    end();
    await reader.cancel().catch(() => {});
    try {
      controller.close();
    } catch {
      // The client has gone already.
    }
    return true;
  }
  function end(): void {
    clearInterval(timer);
    ended();
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      timer = setInterval(() => void endIfLapsed(controller), revalidateMilliseconds).unref();
    },
    async pull(controller) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        end();
        throw error;
      });
      if (done) {
        end();
        controller.close();
      } else if (!(await endIfLapsed(controller))) {
        controller.enqueue(value);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
  return new Response(body, response);
}
