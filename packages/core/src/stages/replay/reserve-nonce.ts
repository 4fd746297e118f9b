import { andThen, answerInTime, answerOr, type Awaitable, containRejections, wireBounds } from '@countersign/common';
import { outage, type Refusal, refusal } from '../../model/refusal.js';
import type { ProofUse } from '../possession/possession.js';
import type { ReplayResult, ReplayStore } from './store.js';

export interface ReplayParts {
  readonly replay: ReplayStore;
  readonly lookupTimeoutSeconds: number;
  readonly clock: () => number;
}

/**
 * Uses a proof up, once, after it has verified and before a byte of the body is held: a copy then costs neither disk nor
 * memory, in whichever process it arrives. `agent` is whose share of the store it takes. Whatever keeps the store from
 * answering refuses the request.
 */
export function reserveNonce(use: ProofUse, agent: string, parts: ReplayParts): Awaitable<Refusal | undefined> {
  const reserved = use.nonce === undefined ? undefined : reserve(use, use.nonce, agent, parts);
  return andThen(reserved, (refused) => {
    // After the store has answered: it may have forgotten the nonce of a proof that ended while the store was asked.
    if (!(parts.clock() / 1000 < use.validUntil)) return refusal(use.codes.expired, 'it ended while it was checked');
    return refused;
  });
}

function reserve(
  { keyId, created, validUntil, codes }: ProofUse,
  nonce: string,
  agent: string,
  { replay, lookupTimeoutSeconds, clock }: ReplayParts,
): Awaitable<Refusal | undefined> {
  const badNonce = nonceProblem(nonce);
  if (badNonce !== undefined) return badNonce;
  const proof = { agent, keyId, nonce, created, until: validUntil, now: clock() / 1000 };
  return answerOr(
    () =>
      andThen(
        answerInTime(lookupTimeoutSeconds, () => replay.reserve(proof)),
        (result) => refusalFor(result, codes),
      ),
    (error) => outage('replay_store_unavailable', error),
  );
}

function refusalFor(result: ReplayResult, codes: ProofUse['codes']): Refusal | undefined {
  switch (result) {
    case 'reserved':
      return undefined;
    case 'replayed':
      return refusal(codes.replayed);
    case 'before_epoch':
      return refusal('replay_unknown', 'the replay store began after the proof was created');
    case 'full':
      return refusal('replay_store_unavailable', 'the store is full');
    default:
      containRejections(result);
      return refusal('replay_store_unavailable', 'the store gave an answer that was not asked for');
  }
}

function nonceProblem(nonce: string): Refusal | undefined {
  const { minNonceLength: least, maxNonceLength: most } = wireBounds;
  if (nonce.length >= least && nonce.length <= most) return undefined;
  return refusal('signature_incomplete', `nonce must have ${least} to ${most} characters`);
}
