export { canonicalJson } from './canonical.js';
export {
  type ApprovalCheckOptions,
  type ApprovalProblem,
  approverProblem,
  checkApproval,
  mayApprove,
  missingApprovers,
} from './check.js';
export {
  type ApprovalClaims,
  approvalPayload,
  approvalType,
  type Approver,
  breakGlassSeconds,
  isApprovalId,
  maxApprovalLength,
  readApprovalClaims,
} from './claims.js';
export {
  contentProblem,
  type FormPair,
  readBody,
  readQuery,
  type ReadableBody,
  type ReadableForm,
  type ReadableQuery,
} from './content.js';
export {
  type ApprovalDetails,
  approvalDetails,
  approvalDetailsType,
  type ApprovalDisclosure,
  argumentsDigest,
  maxDisclosure,
  readApprovalDetails,
} from './details.js';
export {
  approvalBinding,
  type ApprovalCall,
  type ApprovalHop,
  type ApprovalHttp,
  type ApprovalParty,
  type ApprovalRequest,
  maxApprovalRequest,
  readApprovalRequest,
} from './request.js';
export {
  type ApprovalExclusion,
  approvalExclusions,
  approvalLimits,
  type ApprovalQuorum,
  type ApprovalRequirement,
  joinRequirements,
  readRequirement,
  requirementKey,
  requirementText,
} from './requirement.js';
export type { ApprovalUse, ApprovalUseResult, ApprovalUses } from './uses.js';
