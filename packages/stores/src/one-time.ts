import { setTimeout } from 'node:timers/promises';
import type { ApprovalUses } from '@countersign/approval';
import type { ReplayStore } from '@countersign/core';
import { isBeforeEpoch, settlingTime } from './epoch.js';

export interface ReservationAnswer {
  readonly result: 'reserved' | 'replayed' | 'full';
  /** For how long the store has remembered names, by its own clock. */
  readonly ageMilliseconds: number;
}

/** What a store does for one-time use. */
export interface Reservations {
  /** Reserves a name of an owner for some milliseconds, in one atomic step. Rejects if the store cannot answer for it. */
  readonly reserve: (owner: string, name: string, milliseconds: number) => Promise<ReservationAnswer>;
  /** The age of the store when it was opened. */
  readonly ageMilliseconds: number;
}

/** Where one-time use is remembered, once the store is old enough for what an accurate client signs now. */
export async function replayStoreIn(reservations: Reservations, clockSkewSeconds: number): Promise<ReplayStore> {
  await setTimeout(settlingTime(reservations.ageMilliseconds, clockSkewSeconds));
  return {
    reserve: async ({ keyId, nonce, created, until, now }) =>
      await useOnce(reservations, clockSkewSeconds, { owner: keyId, name: nonce, made: created, until, now }),
  };
}

const ofReservation = { reserved: 'first', replayed: 'repeated', before_epoch: 'before_epoch', full: 'full' } as const;

/** The same for approvals. The owner of an approval is no key, so that their names never meet. */
export function approvalUsesIn(reservations: Reservations, clockSkewSeconds: number): ApprovalUses {
  return {
    use: async ({ issuer, id, issuedAt, until, now }) => {
      const use = { owner: `approval ${issuer}`, name: id, made: issuedAt, until, now };
      return ofReservation[await useOnce(reservations, clockSkewSeconds, use)];
    },
  };
}

interface Use {
  readonly owner: string;
  readonly name: string;
  readonly made: number;
  readonly until: number;
  readonly now: number;
}

async function useOnce(
  { reserve }: Reservations,
  clockSkewSeconds: number,
  { owner, name, made, until, now }: Use,
): Promise<'reserved' | 'replayed' | 'before_epoch' | 'full'> {
  const asked = performance.now();
  // Relative, so that clocks need not agree; and a second more, because it must not end before the guard refuses it.
  const milliseconds = Math.max(0, Math.ceil((until - now) * 1000)) + 1000;
  const { result, ageMilliseconds } = await reserve(owner, name, milliseconds);
  if (result !== 'reserved') return result;
  const elapsedMilliseconds = performance.now() - asked;
  const proof = { created: made, now };
  return isBeforeEpoch({ proof, ageMilliseconds, elapsedMilliseconds, clockSkewSeconds }) ? 'before_epoch' : 'reserved';
}
