export { type AuditEvent, type AuditHop, type AuditOutcome, type AuditSink } from './audit/event.js';
export type { BodyLimits, HeldBody, RequestBody } from './body/request-body.js';
export type { Actor, Caller, Proof, Subject } from './caller.js';
export { ConfigError, checkOptionNames } from './config-error.js';
export { type Authentication, type Authorization, createGuard, type Guard, type Permission } from './guard.js';
export type { HttpRequest } from './http/request.js';
export type { Agent, AgentDirectory, AgentKey, KeyLookup } from './keys/directory.js';
export { type Admission, admissionOf, admit, askLeave, type LeaveRequest } from './node/admission.js';
export type { GuardOptions } from './options.js';
export type { PolicyContext, PolicyDecision, PolicyEngine, PolicyQuery, Resource } from './policy/engine.js';
export {
  type Refusal,
  type RefusalCode,
  type RefusalResponse,
  refusal,
  refusalCodes,
  refusalResponse,
} from './refusal.js';
export { RefusalError } from './refusal-error.js';
export type { ReplayResult, ReplayStore } from './replay/store.js';
