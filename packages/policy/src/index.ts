export type { CedarDecision } from './cedar/decision.js';
export type { CedarEngine, CedarSource } from './cedar/engine.js';
export {
  type CedarDirectory,
  cedarFromDirectory,
  type CedarFromDirectoryOptions,
  cedarFromText,
} from './cedar/from-source.js';
export type { PolicyHead } from './cedar/text/policy-head.js';
export { type UnloggedReaders, unloggedReaders } from './cedar/evaluate/unlogged-reads.js';
export type { Policy } from './cedar/load/policy-set.js';
export type { Constraint, PolicyScope } from './cedar/index/scope.js';
export type {
  MatchingDetails,
  PolicyChangeCheck,
  PolicyContext,
  PolicyDecision,
  PolicyEngine,
  PolicyQuery,
  Resource,
} from './engine.js';
export { explanationText } from './explain/explanation-text.js';
export type { ExplainedRequest, Explanation, NearPermit, PolicyPlace, UnmetCondition } from './explanation.js';
export { checkPolicies } from './lint/check.js';
export { type ApprovedCall, narrowPermit } from './narrow/narrow-permit.js';
export type { PolicyCheck, PolicyFinding, PolicyFindingCode } from './lint/finding.js';
export {
  IncompleteResource,
  isResource,
  readNamedResource,
  readResource,
  refuseUnknownMembers,
  resourceProblem,
} from './resource.js';
