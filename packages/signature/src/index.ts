export type { CryptoScheduling } from './algorithms.js';
export { type ComponentIdentifier, type CoveredComponents, covers, parseComponent } from './component.js';
export { isWeakEd25519Key } from './ed25519.js';
export { SignatureError, type SignatureErrorCode } from './errors.js';
export { nativeSigningKey, verificationKey } from './keys.js';
export type {
  Message,
  RawFields,
  RequestMessage,
  ResponseMessage,
  SignatureAlgorithm,
  SignatureParameters,
  SigningKey,
  VerificationKey,
} from './message.js';
export {
  type ComponentPolicy,
  type ComponentProblem,
  type KeyProblem,
  type RequiredComponents,
  requireComponents,
  type UntrustedSignature,
  type VerificationPolicy,
} from './policy.js';
export { type ComponentRefusal, type SignatureRefusalCode, signatureRefusals } from './refusal.js';
export { type SignedMessage, type SignOptions, signMessage } from './sign.js';
export { createSignatureBase, type SignatureBase } from './signature-base.js';
export {
  type ParsedSignature,
  type ParsedSignatureInput,
  parseSignatureHeader,
  parseSignatureInput,
  type SignatureFieldRefusal,
  type SignatureInput,
} from './signature-fields.js';
export type { StructuredFieldTypes } from './structured-fields/registry.js';
export type {
  BareItem,
  Dictionary,
  InnerList,
  Item,
  List,
  Member,
  Parameters,
  StructuredType,
} from './structured-fields/types.js';
export { normalizeAuthority } from './target.js';
export { type VerificationResult, type VerifiedSignature, verifyMessage } from './verify.js';
