import { setTimeout } from 'node:timers/promises';
import { hash } from 'node:crypto';
import type { ApprovalUseResult, ApprovalUses, OneTimeProof, ReplayResult, ReplayStore } from '@countersign/core';
import { EntriesPerAgent } from './entries-per-agent.js';
import { isBeforeEpoch, settlingTime } from './epoch.js';
import type { OneTimeOptions } from './one-time-options.js';

export interface ReservationAnswer {
  readonly result: 'reserved' | 'replayed';
  /** For how long the store has remembered nonces, by its own clock. */
  readonly ageMilliseconds: number;
}

/** What a store does for one-time use. */
export interface Reservations {
  /** Reserves a nonce of a key for some milliseconds, in one atomic step. Rejects if the store cannot answer for it. */
  readonly reserve: (keyId: string, nonce: string, milliseconds: number) => Promise<ReservationAnswer>;
  /** The age of the store when it was opened. */
  readonly ageMilliseconds: number;
}

/** A replay store over them, once they are old enough for what an accurate client signs now. */
export async function replayStoreIn(
  reservations: Reservations,
  { clockSkewSeconds, maxEntriesPerAgent }: Pick<Required<OneTimeOptions>, 'clockSkewSeconds' | 'maxEntriesPerAgent'>,
): Promise<ReplayStore> {
  await setTimeout(settlingTime(reservations.ageMilliseconds, clockSkewSeconds));
  const entries = new EntriesPerAgent(maxEntriesPerAgent);
  return {
    clockSkewSeconds,
    async reserve(proof) {
      const now = performance.now() / 1000;
      if (entries.isFull(proof.agent, now)) return 'full';
      const result = await reserveOnce(reservations, clockSkewSeconds, proof);
      if (result === 'reserved' || result === 'before_epoch') {
        entries.add(proof.agent, now + lifetimeOf(proof, clockSkewSeconds) / 1000);
      }
      return result;
    },
  };
}

const useResults: Readonly<Record<ReplayResult, ApprovalUseResult>> = {
  reserved: 'first',
  replayed: 'repeated',
  before_epoch: 'before_epoch',
  full: 'full',
};

/** Uses of approvals, by who gave them and their id. */
export function approvalUsesIn(reservations: Reservations): ApprovalUses {
  return {
    async use({ issuer, id, issuedAt, clockSkewSeconds, until, now }) {
      const keyId = hash('sha256', issuer, 'base64url');
      const proof = { keyId, nonce: id, created: issuedAt, until, now };
      return useResults[await reserveOnce(reservations, clockSkewSeconds, proof)];
    },
  };
}

async function reserveOnce(
  { reserve }: Reservations,
  clockSkewSeconds: number,
  proof: Omit<OneTimeProof, 'agent'>,
): Promise<ReplayResult> {
  const asked = performance.now();
  const { result, ageMilliseconds } = await reserve(proof.keyId, proof.nonce, lifetimeOf(proof, clockSkewSeconds));
  if (result !== 'reserved') return result;
  const elapsedMilliseconds = performance.now() - asked;
  return isBeforeEpoch({ proof, ageMilliseconds, elapsedMilliseconds, clockSkewSeconds }) ? 'before_epoch' : 'reserved';
}

/**
 * In milliseconds, and relative, so that the clock of the store does not matter. `until` is the end by the clock of this
 * process: one whose clock is behind accepts the proof for longer. A second more, or it could end before a guard refuses it.
 */
function lifetimeOf({ until, now }: Pick<OneTimeProof, 'until' | 'now'>, clockSkewSeconds: number): number {
  return Math.max(0, Math.ceil((until - now) * 1000)) + (clockSkewSeconds + 1) * 1000;
}
