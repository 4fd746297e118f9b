import { required, sql, type Statement } from '../storage/store.js';
import type { RegisteredKey } from './agent.js';

export const mostCurrentKeys = 16;
/** By the agent itself. A row of a key stays for ever, so an agent must not be able to make as many as it likes. */
export const mostKeysInAnHour = 32;

/** First in each change of keys, so that two of one agent wait for each other in the same order. A workload has no keys. */
export function lockAgent(id: string): Statement {
  return sql`SELECT id FROM countersign_agents WHERE id = ${id} AND status <> 'revoked' AND workload = 0 FOR UPDATE`;
}

/** An administrator replaces keys because a thief may have read them: and this token, which replaces keys as well. */
export function endRegistration(id: string): Statement {
  return sql`DELETE FROM countersign_registration_tokens WHERE agent_id = ${id}`;
}

export function insertKey(id: string, key: RegisteredKey, now: number): Statement {
  return required(sql`
    INSERT INTO countersign_keys (thumbprint, agent_id, x, not_before, expires_at, created_at)
    VALUES (${key.thumbprint}, ${id}, ${key.jwk.x}, ${key.notBefore ?? null}, ${key.expiresAt ?? null}, ${now})
    ON CONFLICT (thumbprint) DO NOTHING RETURNING thumbprint`);
}

/** The statements that give an agent another key, and let its other keys end at `until`. */
export function insertAnotherKey(
  id: string,
  key: RegisteredKey,
  { now, until }: { readonly now: number; readonly until: number | undefined },
): readonly Statement[] {
  const room = sql`
    SELECT count(*) AS keys FROM countersign_keys
    WHERE agent_id = ${id} AND COALESCE(expires_at, 9007199254740991) > ${now} HAVING count(*) < ${mostCurrentKeys}`;
  const statements = [required(lockAgent(id)), required(room), insertKey(id, key, now)];
  if (until === undefined) return statements;
  const retire = sql`
    UPDATE countersign_keys SET expires_at = ${until} WHERE agent_id = ${id} AND thumbprint <> ${key.thumbprint}
    AND COALESCE(expires_at, 9007199254740991) > ${until}`;
  return [...statements, retire];
}

/** Requires that the agent registered few keys in the last hour, with `more` that it registers now. */
export function fewKeys(id: string, more: number, now: number): Statement {
  return required(sql`
    SELECT count(*) AS keys FROM countersign_keys
    WHERE agent_id = ${id} AND created_at > ${now - 3600} HAVING count(*) <= ${mostKeysInAnHour - more}`);
}
