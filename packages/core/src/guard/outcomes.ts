import { isPromise } from '@countersign/common';
import type { AuditOutcome } from '@countersign/audit';
import type { Caller } from '../model/caller.js';
import type { Recorder } from '../record/recorder.js';
import type { DecisionUnit } from './deciders.js';
import type { ServedRequests } from './served-requests.js';

/** What the host knows of an answer that has ended. */
export interface CompletedAnswer {
  readonly refused?: boolean;
  readonly exempt?: boolean;
}

/** Records how requests ended. */
export class Outcomes {
  readonly #served: ServedRequests;
  readonly #recorder: Recorder;
  readonly #completing = new Set<Promise<unknown>>();

  constructor(served: ServedRequests, recorder: Recorder) {
    this.#served = served;
    this.#recorder = recorder;
  }

  /** Records once how a request ended. Resolves to the outcome that was recorded; undefined if there is none. */
  complete(caller: Caller, outcome: AuditOutcome, answer: CompletedAnswer = {}): Promise<AuditOutcome | undefined> {
    return this.#tracked(this.#complete(caller, outcome, answer));
  }

  /** Records how a call ended once its decisions have been recorded, and only if one of them allowed something. */
  async completeCall(
    caller: Caller,
    call: DecisionUnit,
    pendingDecisions: Promise<unknown>,
    outcome: AuditOutcome,
  ): Promise<void> {
    const complete = async (): Promise<void> => {
      await pendingDecisions;
      if (call.allowed) await this.#recorder.outcome(caller, call, outcome);
    };
    await this.#tracked(complete());
  }

  /** Resolves once the outcomes reported so far have been recorded. */
  async settled(): Promise<void> {
    await Promise.all(this.#completing);
  }

  /** `settled` waits for it. */
  #tracked<Result>(completion: Promise<Result>): Promise<Result> {
    this.#completing.add(completion);
    const completed = (): void => void this.#completing.delete(completion);
    completion.then(completed, completed);
    return completion;
  }

  async #complete(
    caller: Caller,
    outcome: AuditOutcome,
    { refused = false, exempt = false }: CompletedAnswer,
  ): Promise<AuditOutcome | undefined> {
    const request = this.#served.find(caller);
    if (request === undefined || request.completed) return undefined;
    this.#served.complete(request);
    if (request.pendingDecisions !== undefined) await request.pendingDecisions.catch(() => undefined);
    // Nobody reads on, so a streamed body comes to its end.
    let failure = request.body.discard();
    if (isPromise(failure)) failure = await failure;
    const hasRecord = request.decisionRequested && (refused || request.hasCalls);
    if (hasRecord && !request.allowed && failure === undefined) return undefined;
    const isPlain = failure === undefined && (request.decisionRequested || exempt);
    const recorded: AuditOutcome = isPlain
      ? outcome
      : {
          ...outcome,
          ...(failure && { code: failure.code }),
          ...(!request.decisionRequested && !exempt && { undecided: true }),
        };
    await this.#recorder.outcome(caller, request, recorded);
    return recorded;
  }
}
