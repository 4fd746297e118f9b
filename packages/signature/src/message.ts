import type { KeyObject } from 'node:crypto';

/** Ordered raw fields as Node's `rawHeaders` gives them: name, value, name, value, … Duplicates kept. */
export type RawFields = readonly string[];

/** A request as it was on the wire. Nothing here is decoded or normalised by the caller. */
export interface RequestMessage {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** As received: the value of `Host` or `:authority`. This package lower-cases it and removes a default port. */
  readonly authority: string;
  /** The request-target as on the request line, undecoded: origin-form, absolute-form, `*` or authority-form. */
  readonly target: string;
  readonly rawFields: RawFields;
  readonly rawTrailers?: RawFields;
}

/** A response, with the request it answers when components of that request are covered (`;req`). */
export interface ResponseMessage {
  readonly status: number;
  readonly rawFields: RawFields;
  readonly rawTrailers?: RawFields;
  readonly request?: RequestMessage;
}

export type Message = RequestMessage | ResponseMessage;

export function isRequest(message: Message): message is RequestMessage {
  return 'method' in message;
}

/** The names of the RFC 9421 §6.2.2 registry. */
export type SignatureAlgorithm =
  | 'ed25519'
  | 'ecdsa-p256-sha256'
  | 'ecdsa-p384-sha384'
  | 'rsa-pss-sha512'
  | 'rsa-v1_5-sha256'
  | 'hmac-sha256';

/** The signature parameters of RFC 9421 §2.3. Times are Unix seconds. */
export interface SignatureParameters {
  readonly created?: number;
  readonly expires?: number;
  readonly nonce?: string;
  readonly alg?: string;
  readonly keyid?: string;
  readonly tag?: string;
}

/** Signs with a native key, a hardware token or a remote signer. */
export interface SigningKey {
  readonly algorithm: SignatureAlgorithm;
  readonly keyId: string;
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A key that verifies, bound to the one algorithm it may be used with. For `hmac-sha256` the key is the secret. */
export interface VerificationKey {
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey: KeyObject;
}
