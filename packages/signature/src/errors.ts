import type { SignatureRefusalCode } from './refusal.js';

export type SignatureErrorCode = SignatureRefusalCode | 'argument';

/**
 * A programmer's or configuration mistake: signing a component the message does not have, a key of the wrong type,
 * a parameter that no signature can carry. Nothing in a received message causes one.
 */
export class SignatureError extends Error {
  override readonly name = 'SignatureError';
  readonly code: SignatureErrorCode;

  constructor(code: SignatureErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
