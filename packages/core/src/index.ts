export {
  type AuditApproval,
  type AuditAuthorityEvent,
  type AuditCall,
  auditCloudEvents,
  type AuditCloudEventsOptions,
  AuditError,
  type AuditEvent,
  type AuditErrorCode,
  auditFile,
  type AuditFileOptions,
  type AuditHop,
  type AuditOutcome,
  auditPino,
  type AuditPinoOptions,
  type AuditRecord,
  auditRecordSchema,
  type AuditSink,
  type ObservableSink,
  type SinkBacklog,
  type SinkStatus,
  auditStdout,
  type CheckpointRecord,
  type CheckpointWitness,
  fanOut,
  type FanOut,
  type FanOutOptions,
  type FanOutRule,
  fileWitness,
  httpWitness,
  type HttpWitnessOptions,
  isEvent,
  type LogRecord,
  memoryAudit,
  type MemoryAudit,
  type MemoryAuditOptions,
  type OcsfActor,
  type OcsfApiActivity,
  type OcsfDelegation,
  type PinoLogger,
  printableEvent,
  readAuditLog,
  readWholeAuditLog,
  type RecoveredRecord,
  type SegmentRecord,
  type SegmentStart,
  toOcsf,
} from '@countersign/audit';
export type {
  ApprovalRequest,
  ApprovalRequirement,
  ApprovalUse,
  ApprovalUseResult,
  ApprovalUses,
  Approver,
} from '@countersign/approval';
export { auditPseudonym, type PseudonymOf } from './record/pseudonym.js';
export type { RedactOptions, Redaction } from './record/redact-options.js';
export { bufferedBody } from './stages/body/buffered-body.js';
export { continueAfterVerification } from './stages/body/expect-continue.js';
export type { BodyFailure, BodyLimits, Digests, RequestBody } from './model/request-body.js';
export type { Call, CallDescription, CallResult } from './guard/calls.js';
export type { Actor, Caller, CertificateProof, KeyProof, Proof, Subject } from './model/caller.js';
export {
  checkOptionNames,
  ConfigError,
  type LiveFileOptions,
  parseStrictJson,
  type Reading,
  type ReloadResult,
} from '@countersign/common';
export type { Filtered, FilterOptions } from './stages/filter/filter.js';
export type { GuardStatus } from './guard/served-requests.js';
export { createGuard, type Guard } from './guard.js';
export type { Authorization, MaybeResource, Permission, ResourceFunction } from './model/permission.js';
export type { Authentication } from './guard/authentication.js';
export type { Decisions } from './guard/decisions.js';
export type { LocalIdentity } from './guard/local.js';
export type { GuardOptions } from './options/guard-options.js';
export type { Discovery, ProtectedResource, ProtectedResourceOptions } from './options/protected-resource.js';
export { isLoopback } from '@countersign/common';
export type { HttpRequest } from './model/request.js';
export type { AgentRegistry } from './keys/agent-registry.js';
export { agentsFromAuthority } from './keys/agents-from-authority.js';
export { agentsFromFile } from './keys/agents-from-file.js';
export {
  type AgentQuery,
  type AgentQuestion,
  agentsFromDatabase,
  type AgentsFromDatabaseOptions,
} from './keys/agents-from-database.js';
export { agentsFromJwks } from './keys/agents-from-jwks.js';
export { agentsFromObjects } from './keys/agents-from-objects.js';
export {
  agentsFromSignatureDirectory,
  type SignatureDirectoryOptions,
} from './keys/agents-from-signature-directory.js';
export { combine } from './keys/combine.js';
export type {
  Agent,
  AgentDirectory,
  AgentKey,
  AgentStatus,
  CertificateAgents,
  CertificateLookup,
  CertifiedAgent,
  KeyLookup,
  ShownCertificate,
} from './keys/directory.js';
export { type PublicKeyReading, readPublicKey } from './keys/ed25519-key.js';
export type { PublicJwk } from './model/jwk.js';
export {
  type AgentDetails,
  type AgentRegistration,
  type KeyRegistration,
  type NamedRegistration,
  type PrintedKey,
  type PrintedRegistration,
  type RegisteredAgent,
  readRegistration,
} from './keys/registration.js';
export type { AgentsRefresh, RemoteDirectoryOptions, SkippedKey } from './keys/remote-directory.js';
export type { DpopOptions } from './stages/possession/dpop-options.js';
export type { WebBotAuthOptions } from './stages/possession/by-web-bot-auth.js';
export {
  type CedarDecision,
  type CedarDirectory,
  type CedarEngine,
  cedarFromDirectory,
  type CedarFromDirectoryOptions,
  cedarFromText,
  type CedarSource,
  type ApprovedCall,
  checkPolicies,
  type Constraint,
  type ExplainedRequest,
  type Explanation,
  explanationText,
  type MatchingDetails,
  narrowPermit,
  type NearPermit,
  type Policy,
  type PolicyCheck,
  type PolicyContext,
  type PolicyDecision,
  type PolicyChangeCheck,
  type PolicyEngine,
  type PolicyFinding,
  type PolicyFindingCode,
  type PolicyHead,
  type PolicyPlace,
  type PolicyQuery,
  type PolicyScope,
  type Resource,
  type UnloggedReaders,
  unloggedReaders,
  type UnmetCondition,
} from '@countersign/policy';
export {
  type ApprovalIssuer,
  type ApprovalQueue,
  approvalsFrom,
  type ApprovalsOptions,
  type QueueAnswer,
  type QueuedApproval,
} from './stages/approve/approval-options.js';
export { approvalUsesInFolder } from './stages/approve/approval-uses.js';
export type { EntityProvider, EntityRecord } from './stages/authorize/entity-provider.js';
export { openApiForAgents } from './model/openapi.js';
export { type ApprovalAsk, type Refusal, type RefusalCode, refusal, refusalCodes } from './model/refusal.js';
export { type DpopChallenge, RefusalError, type RefusalResponse, refusalResponse } from './model/refusal-response.js';
export {
  type MemoryReplayStore,
  type MemoryReplayStoreOptions,
  memoryReplayStore,
} from './stages/replay/memory-replay-store.js';
export type { OneTimeProof, ReplayResult, ReplayStore } from './stages/replay/store.js';
export { memoryRevocations, type Revocations } from './stages/revocation/memory-revocations.js';
export { type Revocable, type Revocation, revocationKey } from './stages/revocation/revocable.js';
export { revocationsFromFile } from './stages/revocation/revocations-from-file.js';
export type { RevocationSource } from './stages/revocation/revocable.js';
export type { IssuerOptions } from './stages/token/issuers.js';
export { namesAnActor } from './stages/traffic/token-search.js';
