/**
 * The steps of the schema, oldest first. A step that has been released never changes; a change is a new step. Both engines
 * run the same text: `sqliteDdl` translates what SQLite spells otherwise. Times are unix seconds; JSON is TEXT, because
 * Postgres reorders the members of jsonb.
 */
export const migrations: readonly string[] = [
  `
CREATE TABLE countersign_agents (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  owner TEXT,
  capabilities TEXT NOT NULL,
  roles TEXT NOT NULL,
  tags TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'active', 'suspended', 'revoked')),
  name TEXT,
  redirect_uris TEXT NOT NULL,
  expires_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE TABLE countersign_keys (
  thumbprint TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  agent_id TEXT COLLATE "C" NOT NULL REFERENCES countersign_agents (id),
  x TEXT NOT NULL,
  not_before BIGINT,
  expires_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX countersign_keys_expiry ON countersign_keys (expires_at);
CREATE INDEX countersign_keys_agent ON countersign_keys (agent_id);
CREATE TABLE countersign_invitations (
  digest TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  agent TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX countersign_invitations_expiry ON countersign_invitations (expires_at);
CREATE TABLE countersign_registration_tokens (
  agent_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES countersign_agents (id),
  digest TEXT COLLATE "C" NOT NULL
);
CREATE TABLE countersign_signing_keys (
  kid TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  sealed TEXT NOT NULL,
  signs_from BIGINT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL
);
CREATE TABLE countersign_delegations (
  idx BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  parent_id TEXT COLLATE "C",
  issuer TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  thumbprint TEXT COLLATE "C" NOT NULL,
  claims TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE INDEX countersign_delegations_revoked ON countersign_delegations (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX countersign_delegations_parent ON countersign_delegations (parent_id);
CREATE INDEX countersign_delegations_subject ON countersign_delegations (subject);
CREATE INDEX countersign_delegations_actor ON countersign_delegations (actor);
CREATE INDEX countersign_delegations_thumbprint ON countersign_delegations (thumbprint);
CREATE INDEX countersign_delegations_expiry ON countersign_delegations (expires_at);
CREATE TABLE countersign_consents (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES countersign_delegations (id) ON DELETE CASCADE,
  subject TEXT COLLATE "C" NOT NULL,
  uses_left BIGINT
);
CREATE INDEX countersign_consents_subject ON countersign_consents (subject);
CREATE TABLE countersign_one_time (
  purpose TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (purpose, id)
);
CREATE INDEX countersign_one_time_expiry ON countersign_one_time (expires_at);
CREATE TABLE countersign_models (
  model TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  payload TEXT NOT NULL,
  grant_id TEXT COLLATE "C",
  user_code TEXT COLLATE "C",
  uid TEXT COLLATE "C",
  expires_at BIGINT,
  consumed_at BIGINT,
  PRIMARY KEY (model, id)
);
CREATE INDEX countersign_models_grant ON countersign_models (grant_id);
CREATE UNIQUE INDEX countersign_models_uid ON countersign_models (model, uid);
CREATE UNIQUE INDEX countersign_models_user_code ON countersign_models (model, user_code);
CREATE INDEX countersign_models_expiry ON countersign_models (expires_at);
`,
  `
CREATE TABLE countersign_approvals (
  idx BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  binding TEXT COLLATE "C" NOT NULL,
  agent TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  request TEXT NOT NULL,
  shown TEXT,
  status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'withdrawn')),
  version BIGINT NOT NULL,
  asked_at BIGINT NOT NULL,
  decide_by BIGINT NOT NULL,
  ended_at BIGINT,
  use_by BIGINT,
  broke_glass BIGINT NOT NULL,
  reviewed_by TEXT,
  reviewed_at BIGINT
);
CREATE INDEX countersign_approvals_open ON countersign_approvals (tenant, status, decide_by);
CREATE INDEX countersign_approvals_agent ON countersign_approvals (agent, status, decide_by);
CREATE INDEX countersign_approvals_age ON countersign_approvals (asked_at);
CREATE TABLE countersign_approval_groups (
  approval_id TEXT COLLATE "C" NOT NULL REFERENCES countersign_approvals (id) ON DELETE CASCADE,
  name TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (approval_id, name)
);
CREATE INDEX countersign_approval_groups_name ON countersign_approval_groups (name);
CREATE TABLE countersign_approval_decisions (
  approval_id TEXT COLLATE "C" NOT NULL REFERENCES countersign_approvals (id) ON DELETE CASCADE,
  approver TEXT COLLATE "C" NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'deny', 'break_glass')),
  facts TEXT NOT NULL,
  decided_at BIGINT NOT NULL,
  PRIMARY KEY (approval_id, approver)
);
CREATE INDEX countersign_approval_decisions_time ON countersign_approval_decisions (decided_at);
CREATE TABLE countersign_notifications (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  approval_id TEXT COLLATE "C" NOT NULL REFERENCES countersign_approvals (id) ON DELETE CASCADE,
  channel TEXT COLLATE "C" NOT NULL,
  event TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  next_at BIGINT,
  problem TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX countersign_notifications_due ON countersign_notifications (next_at);
CREATE INDEX countersign_notifications_approval ON countersign_notifications (approval_id);
`,
  `
CREATE TABLE countersign_sessions (
  digest TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  subject TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX countersign_sessions_expiry ON countersign_sessions (expires_at);
`,
  `
CREATE TABLE countersign_directory (
  id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  version BIGINT NOT NULL
);
INSERT INTO countersign_directory (id, version) VALUES (1, 0);
`,
  `
ALTER TABLE countersign_sessions ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';
`,
  `
DROP INDEX countersign_keys_agent;
CREATE INDEX countersign_keys_end ON countersign_keys (agent_id, (COALESCE(expires_at, 9007199254740991)));
CREATE INDEX countersign_keys_age ON countersign_keys (agent_id, created_at);
`,
  `
ALTER TABLE countersign_agents ADD COLUMN workload BIGINT NOT NULL DEFAULT 0;
`,
  `
CREATE INDEX countersign_approvals_asked ON countersign_approvals (agent, asked_at);
CREATE INDEX countersign_approvals_undecided ON countersign_approvals (decide_by)
  WHERE status = 'pending' AND version = 0 AND shown IS NOT NULL;
`,
  `
CREATE TABLE countersign_audit (
  idx BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  about TEXT COLLATE "C" NOT NULL,
  event TEXT NOT NULL,
  next_at BIGINT NOT NULL
);
CREATE INDEX countersign_audit_due ON countersign_audit (next_at);
CREATE INDEX countersign_audit_about ON countersign_audit (about);
CREATE INDEX countersign_approvals_unended ON countersign_approvals (decide_by)
  WHERE status = 'pending' AND ended_at IS NULL;
`,
  `
ALTER TABLE countersign_agents ADD COLUMN seen_at BIGINT;
UPDATE countersign_agents SET seen_at = created_at WHERE workload = 1;
CREATE INDEX countersign_agents_seen ON countersign_agents (seen_at) WHERE workload = 1 AND status = 'active';
CREATE TABLE countersign_workload_stops (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  created_at BIGINT NOT NULL
);
INSERT INTO countersign_workload_stops (name, created_at) VALUES ('lock', 0);
`,
  `
ALTER TABLE countersign_delegations ADD COLUMN granted_at BIGINT NOT NULL DEFAULT 0;
UPDATE countersign_delegations SET granted_at = created_at;
CREATE TABLE countersign_ends (
  subject TEXT COLLATE "C" NOT NULL,
  agent TEXT COLLATE "C" NOT NULL,
  ended_at BIGINT NOT NULL,
  PRIMARY KEY (subject, agent)
);
CREATE INDEX countersign_ends_age ON countersign_ends (ended_at);
CREATE TABLE countersign_end_locks (
  id BIGINT NOT NULL PRIMARY KEY
);
INSERT INTO countersign_end_locks (id)
  WITH RECURSIVE locks (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM locks WHERE id < 63) SELECT id FROM locks;
`,
  `
ALTER TABLE countersign_agents ADD COLUMN stopped_by TEXT NOT NULL DEFAULT '';
UPDATE countersign_agents SET stopped_by = ',id,' WHERE status = 'suspended';
`,
  `
DELETE FROM countersign_invitations;
ALTER TABLE countersign_invitations ADD COLUMN agent_id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE countersign_invitations ADD COLUMN tags TEXT NOT NULL DEFAULT '';
`,
  `
CREATE INDEX countersign_sessions_subject ON countersign_sessions (subject);
`,
  `
ALTER TABLE countersign_approval_decisions ADD COLUMN revoked_at BIGINT;
CREATE INDEX countersign_approval_decisions_approver ON countersign_approval_decisions (approver);
ALTER TABLE countersign_approvals ADD COLUMN signed_at BIGINT;
UPDATE countersign_approvals SET signed_at = ended_at WHERE status = 'approved';
ALTER TABLE countersign_approvals ADD COLUMN recount BIGINT NOT NULL DEFAULT 0;
CREATE INDEX countersign_approvals_recount ON countersign_approvals (idx) WHERE recount = 1;
`,
];

/** The DDL for SQLite, whose default collation is that of `C`. */
export function sqliteDdl(ddl: string): string {
  return ddl
    .replaceAll(' COLLATE "C"', '')
    .replaceAll('BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY', 'INTEGER PRIMARY KEY AUTOINCREMENT')
    .replaceAll('BIGINT', 'INTEGER')
    .replaceAll(/^\);$/gm, ') STRICT;');
}

/** The steps that a database at `version` still needs. Undefined: a newer version of this library made it. */
export function pendingMigrations(version: number): readonly string[] | undefined {
  return version > migrations.length ? undefined : migrations.slice(version);
}
