export type { Actor } from './actor.js';
export { type Ancestor, ancestorsByExchange, ancestorsClaim, maxAncestors } from './ancestors.js';
export {
  type AuthorizationDetail,
  type AuthorizationDetailLists,
  type DetailedRequest,
  detailsCover,
  detailsCovering,
  detailsNarrow,
  readAuthorizationDetails,
  unknownMembers,
} from './authorization-details.js';
export {
  type ActingAgent,
  type Chain,
  type DelegatedChain,
  effectiveScope,
  type Hop,
} from './chain.js';
export { agentProfile, isOfApplication } from './application-token.js';
export { type DelegationClaims, readClaims } from './claims.js';
export type { Confirmation, Ed25519PublicJwk } from './confirmation.js';
export {
  type ChainRoot,
  delegatedChain,
  type DelegatedChainOptions,
  type VerifiedLink,
} from './delegated-chain.js';
export { DelegationError, type DelegationErrorCode } from './error.js';
export { isIdentifier, isStringOrUri } from './identifier.js';
export { isJsonObject, type JsonObject, member } from './json.js';
export { LINK_TYPE, type LinkClaims, parentHash, readLink } from './link.js';
export { checkNarrowing, type Grant, grantOf, type ParentGrant } from './narrowing.js';
export { draftLink, type LinkDraft, type LinkSigner, mintLink, type MintLinkOptions } from './mint-link.js';
export { mintDelegation, type MintDelegationOptions } from './mint.js';
export {
  type AudienceRefusalCode,
  type ChainRefusalCode,
  type ClaimsRefusalCode,
  type DelegationRefusal,
  type DelegationRefusalCode,
  delegationRefusals,
  type LinkRefusalCode,
  type NarrowingRefusalCode,
  type TimesRefusalCode,
} from './refusal.js';
export {
  closeScope,
  covers,
  formatScope,
  intersectScopes,
  isScopeMatch,
  minimalScope,
  parseScope,
  type Scope,
  scopeCovers,
  type ScopeMatch,
} from './scope.js';
export { ScopeVocabulary } from './scope-vocabulary.js';
export type { SigningKey } from './sign.js';
export { spellingHint, undefinedHint } from './spelling-hint.js';
export type { StatusReference } from './status-reference.js';
export { checkAudience, checkTimes, type TimesOptions } from './validity.js';
