export {
  formatAcceptSignature,
  parseAcceptSignature,
  type RequestedParameters,
  type SignatureRequest,
} from './accept-signature.js';
export type { CryptoScheduling } from './algorithms.js';
export { type ComponentIdentifier, type CoveredComponents, covers, parseComponent } from './component.js';
export {
  type ContentDigestRefusal,
  type ContentDigests,
  type ContentHashes,
  computeContentDigest,
  type DigestAlgorithm,
  parseContentDigest,
  verifyContentDigest,
} from './content-digest.js';
export { isWeakEd25519Key } from './ed25519.js';
export { SignatureError, type SignatureErrorCode } from './errors.js';
export { FieldSection, fieldValue } from './fields.js';
export { LIMITS } from './limits.js';
export { jwkThumbprint, type ThumbprintKey } from './jwk-thumbprint.js';
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
export { parseDictionary, parseItem, parseList } from './structured-fields/parse.js';
export type { StructuredFieldTypes } from './structured-fields/registry.js';
export {
  StructuredFieldError,
  serializeDictionary,
  serializeInnerList,
  serializeItem,
  serializeList,
} from './structured-fields/serialize.js';
export type {
  BareItem,
  Dictionary,
  InnerList,
  Item,
  List,
  Member,
  Parameters,
  ParseBudget,
  Parsed,
  ParseOptions,
  StructuredFieldProblem,
  StructuredType,
} from './structured-fields/types.js';
export { normalizeAuthority } from './target.js';
export {
  readSignature,
  type SignatureReading,
  type UnverifiedSignature,
  type VerificationResult,
  type VerifiedSignature,
  verifyMessage,
} from './verify.js';
export { type DigestPreferences, formatWantContentDigest, parseWantContentDigest } from './want-content-digest.js';
