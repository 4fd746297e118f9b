import type { DelegationRefusalCode } from './refusal.js';

/** Mistakes of the calling program, besides claims that our own parser would refuse. */
export type DelegationErrorCode =
  | DelegationRefusalCode
  | 'option_unknown'
  | 'option_undefined'
  | 'lifetime_invalid'
  | 'times_invalid'
  | 'key_unusable'
  | 'parent_unusable'
  | 'previous_mismatch';

/**
 * A mistake of the calling program, or of its client where the program passes on what that sent, such as a scope. `code` says
 * which.
 */
export class DelegationError extends TypeError {
  override readonly name = 'DelegationError';
  readonly code: DelegationErrorCode;

  constructor(code: DelegationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
