export type { PgClient, PgPool, PgQuery } from './pool.js';
export { postgresApprovalUses, postgresReplay } from './postgres-replay.js';
export { postgresRevocations } from './postgres-revocations.js';
