import type { SinkStatus } from '@countersign/audit';
import type { Caller, Proof, Session } from '../model/caller.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { bothSettled, Stamp } from '@countersign/common';
import type { RequestBody } from '../model/request-body.js';
import type { RequestFacts } from '../model/request.js';
import type { Received } from '../stages/approve/approval-request.js';
import type { Revalidate } from '../stages/revocation/check-revocations.js';

/** How busy a guard is now. */
export interface GuardStatus {
  /**
   * Bytes of bodies that wait until they have verified, or until they are read. Not those of up to 64 KiB that came whole
   * while their signature was verified, which Node holds.
   */
  readonly heldBodies: { readonly memoryBytes: number; readonly diskBytes: number };
  /** Each sink of records. */
  readonly audit: readonly SinkStatus[];
}

/** A request that was let in. */
export interface AdmittedRequest {
  readonly session: Session;
  readonly proof: Proof;
  readonly facts: RequestFacts;
  readonly body: RequestBody;
  readonly revalidate: Revalidate;
  /** What was received; undefined for a local caller. */
  readonly received: Received | undefined;
}

/** A request that was let in, while it is being served. */
export interface ServedRequest extends AdmittedRequest {
  /** Whether the guard was asked for a decision, whatever it answered. */
  decisionRequested: boolean;
  /** Whether some decision allowed something; those of its calls do not count. */
  allowed: boolean;
  /** Whether a call within it was decided or refused: the records of its calls stand for it. */
  hasCalls: boolean;
  completed: boolean;
  /** Settles when the decisions under way have been recorded: the outcome comes after them. Undefined before the first. */
  pendingDecisions: Promise<unknown> | undefined;
}

interface NotServed {
  readonly ok: false;
  readonly refusal: Refusal;
}

/** How long a host may take to tell that it has cut a request. */
const cutMilliseconds = 1000;

/** Knows the very callers that this guard made. A forged or foreign caller is not among them and gets nothing. */
export class ServedRequests {
  /** What a guard that closes waits for, each with what ends it then: requests whose host can cut them, and calls. */
  readonly #open = new Map<object, () => void>();
  #onIdle = (): void => {};
  #isClosing = false;

  /** Whether no further request is admitted. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /**
   * Admits no further request. Resolves once those that were admitted, and their calls, have ended; cuts those that take
   * longer than this.
   */
  async close(milliseconds: number): Promise<void> {
    this.#isClosing = true;
    await this.#idle(milliseconds);
    for (const cut of this.#open.values()) cut();
    await this.#idle(cutMilliseconds);
  }

  /** Notes that the answer of a request has ended. */
  complete(request: ServedRequest): void {
    request.completed = true;
    this.end(request);
  }

  /** Notes a part that a guard that closes waits for, and how to cut it. */
  begin(part: object, cut: () => void): void {
    this.#open.set(part, cut);
  }

  end(part: object): void {
    this.#open.delete(part);
    if (this.#open.size === 0) this.#onIdle();
  }

  async #idle(milliseconds: number): Promise<void> {
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Makes the caller of a request, deeply frozen: what a handler does with it cannot change what is recorded. */
  admit(request: AdmittedRequest): Caller {
    const { session, proof, facts, body, revalidate, received } = request;
    const { actor, subject, chain, scope, authorizationDetails } = session;
    const requestId = facts.id;
    Object.freeze(proof);
    // Not one literal with a spread, for which V8 makes a new hidden class each time.
    const caller: Caller =
      authorizationDetails === undefined
        ? { actor, subject, chain, scope, proof, requestId }
        : { actor, subject, chain, scope, authorizationDetails, proof, requestId };
    const served: ServedRequest = {
      session,
      proof,
      facts,
      body,
      revalidate,
      received,
      decisionRequested: false,
      allowed: false,
      hasCalls: false,
      completed: false,
      pendingDecisions: undefined,
    };
    if (received?.request.cut !== undefined) this.begin(served, received.request.cut);
    // It is the same object with private fields.
    return Object.freeze(new ServedCaller(caller, this, served)) as unknown as Caller;
  }

  find(caller: Caller): ServedRequest | undefined {
    return ServedCaller.find(caller, this);
  }

  /**
   * Runs a decision for a caller whose request is being served. A caller is good for one request: once its answer has
   * ended, or its client has gone, nothing more is done in its name, also if that happens meanwhile.
   */
  decide<Result extends { readonly ok: boolean }>(
    caller: Caller,
    decision: (request: ServedRequest) => Promise<Result>,
  ): Promise<Result | NotServed> {
    const request = this.find(caller);
    if (request === undefined || request.completed) return Promise.resolve(notServed);
    request.decisionRequested = true;
    const work = decision(request);
    const { pendingDecisions } = request;
    request.pendingDecisions = pendingDecisions === undefined ? work : bothSettled(pendingDecisions, work);
    return work.then((result) => (result.ok ? (unserved(request) ?? result) : result));
  }
}

/** The request of a caller, in private fields of that caller. */
class ServedCaller extends Stamp {
  readonly #by: ServedRequests;
  readonly #request: ServedRequest;

  constructor(caller: Caller, by: ServedRequests, request: ServedRequest) {
    super(caller);
    this.#by = by;
    this.#request = request;
  }

  static find(caller: unknown, by: ServedRequests): ServedRequest | undefined {
    if (typeof caller !== 'object' || caller === null || !(#by in caller)) return undefined;
    return caller.#by === by ? caller.#request : undefined;
  }
}

const notServed: NotServed = {
  ok: false,
  refusal: refusal('not_authenticated', 'no request of this caller is being served'),
};

const clientGone: NotServed = {
  ok: false,
  refusal: refusal('body_incomplete', 'the client went away before its request was decided'),
};

/**
 * Why nothing more is done for a request. Its answer may have no end although its client has gone, because another answer
 * is before it on the connection.
 */
function unserved({ completed, received }: ServedRequest): NotServed | undefined {
  if (completed) return notServed;
  return received?.request.clientIsGone?.() === true ? clientGone : undefined;
}
