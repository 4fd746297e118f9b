import type { AddressedRequest } from '../address/origin.js';
import type { HttpRequest } from '../../model/request.js';
import type { AuthorizationReading } from '../token/authorization-header.js';
import type { TokenResult } from '../token/token-verifier.js';

/** What a request brings along to prove who sent it. */
export interface PresentedProof {
  readonly request: HttpRequest;
  readonly addressed: Extract<AddressedRequest, { ok: true }>;
  readonly authorization: AuthorizationReading;
  /** Verifies the token of this request, if it has one. */
  readonly token: () => Promise<TokenResult | undefined>;
  /** Unix seconds. */
  readonly now: number;
}
