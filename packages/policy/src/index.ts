export type { CedarDecision, CedarEngine, CedarSource } from './cedar/engine.js';
export {
  type CedarDirectory,
  cedarFromDirectory,
  type CedarFromDirectoryOptions,
  cedarFromText,
} from './cedar/load.js';
export type { PolicyHead } from './cedar/policy-head.js';
export type { Policy } from './cedar/policy-set.js';
export type { Constraint, PolicyScope } from './cedar/scope.js';
export type { MatchingDetails, PolicyContext, PolicyDecision, PolicyEngine, PolicyQuery, Resource } from './engine.js';
export { explanationText } from './explain/explanation-text.js';
export type { ExplainedRequest, Explanation, NearPermit, PolicyPlace, UnmetCondition } from './explain/explanation.js';
export { IncompleteResource, whatIsWrongWith } from './incomplete-resource.js';
export { isResource } from './is-resource.js';
export { checkPolicies } from './lint/check.js';
export type { PolicyCheck, PolicyFinding, PolicyFindingCode } from './lint/finding.js';
