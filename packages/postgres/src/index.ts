export type { PgClient, PgPool, PgQuery, PgResults } from './pool.js';
export { beginPostgresAgents, postgresAgents } from './postgres-agents.js';
export { postgresApprovalUses } from './postgres-approval-uses.js';
export { postgresReplay } from './postgres-replay.js';
export { beginPostgresRevocations, postgresRevocations } from './postgres-revocations.js';
