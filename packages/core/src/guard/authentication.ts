import { setImmediate } from 'node:timers/promises';
import { errorMessage, kindOf } from '@countersign/common';
import type { AuditEvent } from '@countersign/audit';
import { randomUUID } from 'node:crypto';
import type { Caller } from '../model/caller.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { type HttpRequest, type IndexedRequest, indexed, pathOf, type RequestFacts } from '../model/request.js';
import type { Forwarded, ForwardedReader } from '../stages/address/proxies.js';
import type { Verification, Verifier } from '../stages/verify.js';
import type { Recorder } from '../record/recorder.js';
import type { ServedRequests } from './served-requests.js';

/** Who calls, or why we do not believe it. */
export type Authentication =
  | {
      readonly ok: true;
      /**
       * Undefined for a request that is left to the application: in mixed traffic one that carries none of our marks, and
       * one that a guard would have refused if it did not only observe.
       */
      readonly caller: Caller | undefined;
      /** The id that the records of this request have. */
      readonly requestId: string;
      /** Only of a guard that observes: it would have refused the request. */
      readonly wouldRefuse?: Refusal;
      /** Refuses an unmarked request of mixed traffic on a route for agents only; recorded. Undefined: the guard observes. */
      readonly refuseUnmarked: () => Promise<Refusal | undefined>;
    }
  | {
      readonly ok: false;
      readonly refusal: Refusal;
      readonly requestId: string;
      /** What the request said about itself, unverified and of any length. `agent`: the owner of that key, if its proof was valid. */
      readonly claimed?: AuditEvent['claimed'];
    };

interface AuthenticationParts {
  readonly verify: Verifier;
  readonly readForwarded: ForwardedReader;
  /** Whether a request is meant for the guard. In mixed traffic the others are left to the application. */
  readonly isOurs: (request: IndexedRequest) => boolean;
  readonly recorder: Recorder;
  readonly served: ServedRequests;
  /** Whether what is refused goes on nevertheless, without a caller. */
  readonly observes: boolean;
  /** Whether records tell which origin a request was for. */
  readonly namesOrigin: boolean;
  readonly onTrouble: (message: string) => void;
}

/** Verifies requests, and records every refusal before it is answered. Never rejects because of a request. */
export function createAuthentication(parts: AuthenticationParts): (request: HttpRequest) => Promise<Authentication> {
  const { verify, readForwarded, isOurs, recorder, served, observes, namesOrigin, onTrouble } = parts;

  return async (received) => {
    const request = indexed(received);
    const forwarded = readForwarded(request);
    const facts = factsOf(request, forwarded);
    const refuseUnmarked = async (): Promise<Refusal | undefined> => {
      if (served.isClosing) return observes ? undefined : refusal('shutting_down');
      const refused = refusal('signature_required');
      if (!observes) return await recorder.unverified(facts, undefined, refused);
      await recorder.unverified(facts, undefined, refused, 'would_refuse');
      return undefined;
    };

    if (!isOurs(request)) {
      request.body.release();
      return { ok: true, caller: undefined, requestId: facts.id, refuseUnmarked };
    }
    if (served.isClosing) return turnAway(request, facts);
    let verification: Verification;
    try {
      verification = await verify(request, forwarded);
    } catch (error) {
      onTrouble(`countersign: a request could not be checked: ${errorMessage(error)}`);
      verification = { ok: false, refusal: refusal('internal_error', kindOf(error)), claimed: undefined };
    }
    // It began before the guard was closed, but its record could come too late for the log, and its sources may be closed.
    // A guard that observes must not let a request go on whose body is lost.
    if (served.isClosing && request.body.isLost !== true) return turnAway(request, facts);
    if (!verification.ok) return await refuse(request, facts, verification);
    const { session, proof, revalidate, authority } = verification;
    if (request.clientIsGone?.() === true) {
      // A parser behind us would find a closed connection, and the handler no body, although one was signed.
      const { id: agent, keyId } = session.actor;
      const refused = refusal('body_incomplete', 'the client went away before its request was let in');
      return await refuse(request, facts, {
        refusal: refused,
        claimed: keyId === undefined ? undefined : { keyId, agent },
      });
    }
    const source = { request, authority };
    const asked = namesOrigin ? { ...facts, authority } : facts;
    const caller = served.admit({ session, proof, facts: asked, body: request.body, revalidate, received: source });
    request.body.release();
    return { ok: true, caller, requestId: facts.id, refuseUnmarked };
  };

  /** Without a record: the log is about to be sealed, and nothing was done. */
  function turnAway({ body }: HttpRequest, { id: requestId }: RequestFacts): Authentication {
    if (observes) {
      body.release();
      return { ok: true, caller: undefined, requestId, refuseUnmarked: nothingMore };
    }
    void body.discard();
    return { ok: false, refusal: refusal('shutting_down'), requestId };
  }

  async function refuse(
    { body }: HttpRequest,
    facts: RequestFacts,
    { refusal: refused, claimed }: Pick<Extract<Verification, { ok: false }>, 'refusal' | 'claimed'>,
  ): Promise<Authentication> {
    const requestId = facts.id;
    if (observes && body.isLost !== true) {
      const wouldRefuse = await recorder.unverified(facts, claimed, refused, 'would_refuse');
      body.release();
      return { ok: true, caller: undefined, requestId, wouldRefuse, refuseUnmarked: nothingMore };
    }
    const refusal = await recorder.unverified(facts, claimed, refused);
    // The body that came with the head has been read by then: the answer must not tell by its connection, or by the window of
    // its stream, whether a key was looked at for longer.
    await setImmediate();
    void body.discard();
    return { ok: false, refusal, requestId, ...(claimed && { claimed }) };
  }
}

/** Nothing more is refused to a request whose refusal was recorded already. */
const nothingMore = async (): Promise<undefined> => undefined;

/** The word of our own proxies on the client's address counts. */
function factsOf(request: HttpRequest, forwarded: Forwarded): RequestFacts {
  const remoteAddress = forwarded.remoteAddress ?? request.remoteAddress;
  const known = { id: randomUUID(), method: request.method, path: pathOf(request.target) };
  return remoteAddress === undefined ? known : { id: known.id, method: known.method, path: known.path, remoteAddress };
}
