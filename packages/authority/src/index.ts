export { ConfigError } from '@countersign/common';
export type {
  AgentFacts,
  AgentRole,
  AgentStatus,
  NewAgent,
  NewKey,
  RegisteredAgent,
  RegisteredKey,
} from './agents/agent.js';
export type { Invitation, InvitedAgent, OpenInvitation } from './agents/invitations.js';
export type { AgentChange, AgentRegistry } from './agents/registry.js';
export type { NewStatus, StatusChanges } from './agents/status-changes.js';
export type { Approval, ApprovalStatus, ApproverIdentity, Decision, Verdict } from './approvals/approval.js';
export type { DecisionInput } from './approvals/decisions.js';
export type { ApprovalQueue } from './approvals/queue.js';
export type { ApprovalFilter } from './approvals/selection.js';
export { AuthorityError, type AuthorityErrorCode } from './authority-error.js';
export { type Authority, createAuthority } from './create-authority.js';
export type { LedgerEntry, Revoked } from './delegation/ledger.js';
export type {
  ApprovalOptions,
  AuthorityOptions,
  ChannelOptions,
  ExchangeRule,
  ExternalIssuerOptions,
  ResourceOptions,
  SignedInUser,
  SignIn,
  SignInOptions,
  SpiffeOptions,
  UserOptions,
  WorkloadRule,
} from './options/authority-options.js';
export { developmentUser } from './pages/sign-in.js';
export { openPostgres, type PostgresClient, type PostgresPool, type PostgresQuery } from './storage/postgres.js';
export { openSqlite } from './storage/sqlite.js';
export type { Row, SqlValue, Statement, Store } from './storage/store.js';
export { StoreUnavailable } from './storage/store.js';
