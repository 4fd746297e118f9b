/**
 * Bounds on the work that a message causes before its sender is known. Honest messages stay far below them;
 * docs/reference/wire-profile.md states them.
 */
export const LIMITS = {
  /** Characters of Signature and Signature-Input together. */
  signatureFieldsLength: 16_384,
  /** Signatures in one message. */
  signatures: 8,
  /** Covered components of one signature. */
  components: 64,
  /** Parameters of one component. RFC 9421 defines six, of which no component can have more than four. */
  componentParameters: 4,
  /** Keys, items and inner lists in Signature-Input, in Signature, and in all fields covered with `;sf` or `;key`. */
  parts: 256,
  /** Characters of all fields covered with `;sf` or `;key`. */
  structuredFieldsLength: 4096,
  /** Characters and parameters of a query, if one of its parameters is covered. */
  queryLength: 4096,
  queryParameters: 256,
} as const;
