import { setTimeout } from 'node:timers/promises';
import { hash } from 'node:crypto';
import type { ApprovalUseResult, ApprovalUses, OneTimeProof, ReplayResult, ReplayStore } from '@countersign/core';
import { isBeforeEpoch, settlingTime } from './epoch.js';

export interface ReservationAnswer {
  readonly result: 'reserved' | 'replayed' | 'full';
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
export async function replayStoreIn(reservations: Reservations, clockSkewSeconds: number): Promise<ReplayStore> {
  await setTimeout(settlingTime(reservations.ageMilliseconds, clockSkewSeconds));
  return { clockSkewSeconds, reserve: async (proof) => await reserveOnce(reservations, clockSkewSeconds, proof) };
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
      const proof = { keyId: hash('sha256', issuer, 'base64url'), nonce: id, created: issuedAt, until, now };
      return useResults[await reserveOnce(reservations, clockSkewSeconds, proof)];
    },
  };
}

async function reserveOnce(
  { reserve }: Reservations,
  clockSkewSeconds: number,
  proof: OneTimeProof,
): Promise<ReplayResult> {
  const asked = performance.now();
  // Relative, so that clocks need not agree; and a second more, because it must not end before the guard refuses it.
  const milliseconds = Math.max(0, Math.ceil((proof.until - proof.now) * 1000)) + 1000;
  const { result, ageMilliseconds } = await reserve(proof.keyId, proof.nonce, milliseconds);
  if (result !== 'reserved') return result;
  const elapsedMilliseconds = performance.now() - asked;
  return isBeforeEpoch({ proof, ageMilliseconds, elapsedMilliseconds, clockSkewSeconds }) ? 'before_epoch' : 'reserved';
}
