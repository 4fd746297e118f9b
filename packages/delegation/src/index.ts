export type { Actor } from './actor.js';
export {
  type ActingAgent,
  type Chain,
  type DelegatedChain,
  direct,
  effectiveScope,
  type Hop,
  issuerAsserted,
} from './chain.js';
export { type DelegationClaims, readClaims } from './claims.js';
export type { Confirmation, Ed25519PublicJwk } from './confirmation.js';
export { DelegationError, type DelegationErrorCode } from './error.js';
export { isIdentifier } from './identifier.js';
export { mintDelegation, type MintDelegationOptions } from './mint.js';
export {
  type AudienceRefusalCode,
  type ChainRefusalCode,
  type ClaimsRefusalCode,
  type DelegationRefusal,
  type DelegationRefusalCode,
  delegationRefusals,
  type TimesRefusalCode,
} from './refusal.js';
export {
  closeScope,
  covers,
  formatScope,
  intersectScopes,
  minimalScope,
  parseScope,
  type Scope,
  scopeCovers,
} from './scope.js';
export type { SigningKey } from './sign.js';
export { checkAudience, checkTimes, type TimesOptions } from './validity.js';
