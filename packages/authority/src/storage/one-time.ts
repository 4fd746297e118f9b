import { sql, type Store } from './store.js';

/** What is accepted once: assertions, challenges, DPoP proofs. Ids of one purpose do not collide with those of another. */
export type OneTimePurpose = 'assertion' | 'challenge';

/** Takes an id for itself. Of many callers at the same time, in any number of processes, one gets true. */
export async function takeOnce(store: Store, purpose: OneTimePurpose, id: string, expiresAt: number): Promise<boolean> {
  const won = await store.run(sql`
    INSERT INTO countersign_one_time (purpose, id, expires_at) VALUES (${purpose}, ${id}, ${expiresAt})
    ON CONFLICT (purpose, id) DO NOTHING RETURNING id`);
  return won.length === 1;
}
