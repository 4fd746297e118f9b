import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { required, type Row, sql, type Store, textOf } from '../storage/store.js';

/** Finds the client of an agent that may act now. */
export type FindClient = (id: string) => Promise<AdapterPayload | undefined>;

/**
 * The storage of `oidc-provider`. What is used once is taken in one statement: the library looks first and writes later,
 * so that of many uses at the same time several would pass.
 */
export function createModelAdapter(model: string, store: Store, findClient: FindClient, now: () => number): Adapter {
  return {
    async find(id) {
      if (model === 'Client') return await findClient(id);
      if (isUnknown(id)) return undefined;
      const rows = store.run(sql`
        SELECT payload, consumed_at FROM countersign_models
        WHERE model = ${model} AND id = ${id} AND (expires_at IS NULL OR expires_at > ${now()})`);
      return await findBy(rows);
    },

    async findByUid(uid) {
      if (isUnknown(uid)) return undefined;
      const rows = store.run(sql`
        SELECT payload, consumed_at FROM countersign_models
        WHERE model = ${model} AND uid = ${uid} AND (expires_at IS NULL OR expires_at > ${now()})`);
      return await findBy(rows);
    },

    async findByUserCode(userCode) {
      if (isUnknown(userCode)) return undefined;
      const rows = store.run(sql`
        SELECT payload, consumed_at FROM countersign_models
        WHERE model = ${model} AND user_code = ${userCode} AND (expires_at IS NULL OR expires_at > ${now()})`);
      return await findBy(rows);
    },

    async upsert(id, payload, expiresIn) {
      // The queue of approvals is all state of CIBA. An agent that asks the same again and again would fill the store.
      if (model === 'BackchannelAuthenticationRequest') return;
      const expiresAt = expiresIn !== undefined && expiresIn > 0 ? now() + Math.ceil(expiresIn) : null;
      await store.run(sql`
        INSERT INTO countersign_models (model, id, payload, grant_id, user_code, uid, expires_at)
        VALUES (${model}, ${id}, ${JSON.stringify(payload)}, ${payload.grantId ?? null}, ${payload.userCode ?? null},
          ${payload.uid ?? null}, ${expiresAt})
        ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id,
          user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at`);
    },

    async consume(id) {
      const taken = await store.batch([
        required(sql`
          UPDATE countersign_models SET consumed_at = ${now()}
          WHERE model = ${model} AND id = ${id} AND consumed_at IS NULL RETURNING id`),
      ]);
      if (taken === undefined) throw new errors.InvalidGrant('it was used before');
    },

    async destroy(id) {
      await store.run(sql`DELETE FROM countersign_models WHERE model = ${model} AND id = ${id}`);
    },

    async revokeByGrantId(grantId) {
      await store.run(sql`DELETE FROM countersign_models WHERE model = ${model} AND grant_id = ${grantId}`);
    },
  };
}

async function findBy(rows: Promise<readonly Row[]>): Promise<AdapterPayload | undefined> {
  const [row] = await rows;
  if (row === undefined) return undefined;
  const consumed = row['consumed_at'];
  const payload = JSON.parse(textOf(row, 'payload')) as AdapterPayload;
  return { ...payload, ...(typeof consumed === 'number' && { consumed }) };
}

/** Ids are made by the library, of letters, digits, `-` and `_`. Postgres cannot even be asked for a text with NUL. */
function isUnknown(id: string): boolean {
  return !/^[\w-]{1,256}$/.test(id);
}
