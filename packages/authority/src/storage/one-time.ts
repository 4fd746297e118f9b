import { required, sql, type Statement, type Store } from './store.js';

/**
 * What is accepted once: assertions, proofs of keys, challenges, authorization codes, answers of users, their sign-ins, and
 * the first key with a JWT-SVID. Ids of one purpose do not collide with those of another.
 */
export type OneTimePurpose = 'assertion' | 'challenge' | 'code' | 'consent' | 'key-proof' | 'sign-in' | 'svid';

/** Takes an id for itself. Of many callers at the same time, in any number of processes, one gets true. */
export async function takeOnce(store: Store, purpose: OneTimePurpose, id: string, expiresAt: number): Promise<boolean> {
  return (await store.run(taking(purpose, id, expiresAt))).length === 1;
}

/** The same as a part of a batch, which then happens once. */
export function taking(purpose: OneTimePurpose, id: string, expiresAt: number): Statement {
  return required(sql`
    INSERT INTO countersign_one_time (purpose, id, expires_at) VALUES (${purpose}, ${id}, ${expiresAt})
    ON CONFLICT (purpose, id) DO NOTHING RETURNING id`);
}

/** Whether an id was taken, and its time is not over. */
export async function wasTaken(store: Store, purpose: OneTimePurpose, id: string): Promise<boolean> {
  return (
    (await store.run(sql`SELECT id FROM countersign_one_time WHERE purpose = ${purpose} AND id = ${id}`)).length === 1
  );
}
