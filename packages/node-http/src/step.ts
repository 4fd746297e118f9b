import type { Guard } from '@countersign/core';
import { clearFields, HeldAnswer, type Respond, sendRefusal } from '@countersign/core/adapter';
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * One step of serving a request. Resolves to whether the request may go on; if not, it has been answered. The step calls
 * `next` and waits for it if the request may go on; never with an error, which a bare handler would ignore.
 */
export type Step<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next?: () => unknown,
) => Promise<boolean>;

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Hears of an answer that came too early; undefined: nobody. */
  readonly guard: () => Guard | Promise<Guard> | undefined;
}

/**
 * Runs a check during which nothing but a refusal is sent. Resolves to whether the request may go on; then the handler's
 * own answer is sent, if it came too early.
 */
export async function whileHeld(
  step: string,
  { request, response, guard }: Exchange,
  check: (respond: Respond) => Promise<boolean>,
): Promise<boolean> {
  const answer = HeldAnswer.of(response);
  answer.begin(step);
  let isAllowed = false;
  try {
    isAllowed = await check((refused) => answer.refuse(() => sendRefusal(response, refused)));
  } finally {
    if (answer.cameEarly()) reportEarly(guard(), `${request.method} ${step}`);
    if (isAllowed) answer.allow();
    else {
      answer.drop();
      // What was there before the step is there again, where the refusal is thrown.
      clearFields(response);
    }
  }
  return isAllowed;
}

function reportEarly(guard: Guard | Promise<Guard> | undefined, cause: string): void {
  Promise.resolve(guard).then(
    (made) => made?.report(early, cause),
    () => {},
  );
}

const early =
  'an answer waited until its request was decided: an await of agentAuth or permit is missing, or a time-out answered';
