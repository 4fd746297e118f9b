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

/** A misspelt member would demand or sign less than was meant. @throws SignatureError `argument` */
export function refuseUnknownNames(owner: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new SignatureError('argument', `${owner}: unknown option '${unknown}'. Known options: ${known.join(', ')}`);
}
