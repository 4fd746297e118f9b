export { AuditError, type AuditFailure } from './audit/audit-error.js';
export { auditFile } from './audit/audit-file.js';
export type { AuditFileOptions } from './audit/audit-file-options.js';
export { auditStdout } from './audit/audit-stdout.js';
export type { AuditEvent, AuditHop, AuditOutcome, AuditSink } from './audit/event.js';
export { type FanOut, type FanOutOptions, fanOut } from './audit/fan-out.js';
export type { FanOutRule } from './audit/fan-out-branch.js';
export { fileWitness } from './audit/file-witness.js';
export { type GitWitnessOptions, gitWitness } from './audit/git-witness.js';
export { type HttpWitnessOptions, httpWitness } from './audit/http-witness.js';
export type { CheckpointRecord, LogRecord, RecoveredRecord, SegmentRecord, SegmentStart } from './audit/log-record.js';
export { type MemoryAudit, type MemoryAuditOptions, memoryAudit } from './audit/memory-audit.js';
export { printableEvent } from './audit/printable-event.js';
export { auditPseudonym, type PseudonymOf } from './audit/pseudonym.js';
export { isEvent, readAuditLog, readWholeAuditLog } from './audit/read-audit-log.js';
export type { AuditRecord } from './audit/record.js';
export { auditRecordSchema } from './audit/record-schema.js';
export type { RedactOptions, Redaction } from './audit/redact-options.js';
export { auditCloudEvents } from './audit/sinks/audit-cloud-events.js';
export type { AuditCloudEventsOptions } from './audit/sinks/cloud-events-options.js';
export { type AuditPinoOptions, auditPino, type PinoLogger } from './audit/sinks/audit-pino.js';
export type { OcsfActor, OcsfApiActivity, OcsfDelegation } from './audit/sinks/ocsf.js';
export { toOcsf } from './audit/sinks/to-ocsf.js';
export type { CheckpointWitness } from './audit/witness.js';
export { bufferedBody } from './body/buffered-body.js';
export { continueAfterVerification } from './body/expect-continue.js';
export type {
  BodyFailure,
  BodyLimits,
  BodyVerdict,
  HeldBody,
  RequestBody,
  StreamedBody,
  StreamFailure,
} from './body/request-body.js';
export type { Actor, Caller, Proof, Subject } from './caller.js';
export { ConfigError, checkOptionNames } from './config-error.js';
export type { Filtered, FilterOptions } from './filter.js';
export { type Authentication, type Authorization, createGuard, type Guard, type Permission } from './guard.js';
export type { GuardOptions } from './guard-options.js';
export { isLoopback } from './http/origin.js';
export type { HttpRequest } from './http/request.js';
export { parseStrictJson, type Reading } from './json/strict-json.js';
export type { SkippedKey } from './keys/agent-jwk-set.js';
export type { AgentRegistry } from './keys/agent-registry.js';
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
export type { Agent, AgentDirectory, AgentKey, AgentStatus, KeyLookup } from './keys/directory.js';
export { type PublicKeyReading, readPublicKey } from './keys/ed25519-key.js';
export type { PublicJwk } from './keys/public-jwk.js';
export type {
  AgentDetails,
  AgentRegistration,
  KeyRegistration,
  NamedRegistration,
  PrintedKey,
  PrintedRegistration,
} from './keys/registration.js';
export type { AgentsRefresh, RemoteDirectoryOptions } from './keys/remote-directory.js';
export type { LiveFileOptions } from './files/live-file.js';
export type { ReloadResult } from './files/live-files.js';
export { actingUserOf } from './node/acting-user.js';
export { type Admission, admissionOf } from './node/admission.js';
export { type AdmissionOptions, admit, type HostExchange } from './node/admit.js';
export {
  admissionOptionNames,
  checkAdmissionOptions,
  checkPermission,
  type PermitOptions,
} from './node/check-arguments.js';
export { checkedGuard, type GuardInTime, guardInTime } from './node/guard-in-time.js';
export { type HandlerMark, isPermit, markHandler, markOf } from './node/handler-mark.js';
export { leaveFor, type ResourceOf } from './node/leave-for.js';
export { type Enforce, permission } from './node/permission.js';
export { type PermitDecorator, permitDecorator } from './node/permit-decorator.js';
export { exempt, type LeaveRequest, permitted } from './node/permitted.js';
export type { Respond } from './node/respond.js';
export type { NamedResource, RouteResource } from './node/route-resource.js';
export { sendRefusal } from './node/send-refusal.js';
export { closesUnmapped, coverBelow, refuseAgent, refuseUnmapped } from './node/unmapped.js';
export type { OutcomeWatch } from './node/watch-outcome.js';
export type { DpopOptions } from './possession/dpop-options.js';
export type { WebBotAuthOptions } from './possession/web-bot-auth-options.js';
export type { CedarDecision, CedarEngine, CedarSource } from './policy/cedar/engine.js';
export {
  type CedarDirectory,
  type CedarFromDirectoryOptions,
  cedarFromDirectory,
  cedarFromText,
} from './policy/cedar/load.js';
export type { PolicyHead } from './policy/cedar/policy-head.js';
export type { Policy } from './policy/cedar/policy-set.js';
export type { Constraint, PolicyScope } from './policy/cedar/scope.js';
export type {
  MatchingDetails,
  PolicyContext,
  PolicyDecision,
  PolicyEngine,
  PolicyQuery,
  Resource,
} from './policy/engine.js';
export type { EntityProvider, EntityRecord } from './policy/entity-provider.js';
export type {
  ExplainedRequest,
  Explanation,
  NearPermit,
  PolicyPlace,
  UnmetCondition,
} from './policy/explain/explanation.js';
export { explanationText } from './policy/explain/explanation-text.js';
export { checkPolicies } from './policy/lint/check.js';
export type { PolicyCheck, PolicyFinding, PolicyFindingCode } from './policy/lint/finding.js';
export {
  type DpopChallenge,
  type Refusal,
  type RefusalCode,
  type RefusalResponse,
  refusal,
  refusalCodes,
  refusalResponse,
} from './refusal.js';
export { RefusalError } from './refusal-error.js';
export {
  type MemoryReplayStore,
  type MemoryReplayStoreOptions,
  memoryReplayStore,
} from './replay/memory-replay-store.js';
export type { OneTimeProof, ReplayResult, ReplayStore } from './replay/store.js';
export { memoryRevocations, type Revocations } from './revocation/memory-revocations.js';
export { type Revocable, type Revocation, revocationKey } from './revocation/revocable.js';
export { revocationsFromFile } from './revocation/revocations-from-file.js';
export type { RevocationSource } from './revocation/source.js';
export type { IssuerOptions } from './token/issuers.js';
export { namesAnActor } from './token/token-search.js';
