import { createHash } from 'node:crypto';
import { isJsonObject } from '@countersign/common';
import { readPublicKey } from '@countersign/core';
import type { Ed25519PublicJwk } from '@countersign/delegation';
import {
  calculateJwkThumbprint,
  EmbeddedJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import { errors } from 'oidc-provider';
import { takeOnce } from '../storage/one-time.js';
import type { Store } from '../storage/store.js';

/** The key that a client proved to hold (RFC 9449 §5). */
export interface ProvedKey {
  readonly thumbprint: string;
  /** Of an Ed25519 key, which a token can carry whole. */
  readonly jwk?: Ed25519PublicJwk;
  /** Uses up the proof. @throws the refusal of a copy. */
  readonly useUp: (store: Store) => Promise<void>;
}

const algorithms = ['EdDSA', 'Ed25519', 'ES256'];
const windowSeconds = 60;

/**
 * Verifies a DPoP proof for a POST to `url`.
 *
 * @throws InvalidDpopProof, as the library answers it.
 */
export async function verifyKeyProof(
  proof: string | undefined,
  { url, now }: { readonly url: string; readonly now: number },
): Promise<ProvedKey> {
  if (proof === undefined) throw refused('send a DPoP proof of the key that the token is for');
  const { payload, protectedHeader } = await verified(proof);
  const { htm, htu, iat, jti } = payload;
  if (htm !== 'POST' || htu !== url) throw refused('the proof is for another request');
  if (typeof iat !== 'number' || Math.abs(iat - now) > windowSeconds) throw refused('the iat of the proof is not now');
  if (typeof jti !== 'string' || jti === '') throw refused('the proof has no jti');
  const jwk = protectedHeader.jwk as JWK;
  const thumbprint = await calculateJwkThumbprint(jwk);
  const once = createHash('sha256').update(`${thumbprint}\n${jti}`).digest('base64url');
  return {
    thumbprint,
    ...(jwk.kty === 'OKP' && { jwk: strongKey(jwk) }),
    async useUp(store) {
      if (!(await takeOnce(store, 'key-proof', once, Math.ceil(iat) + 2 * windowSeconds)))
        throw refused('the proof was used before');
    },
  };
}

async function verified(
  proof: string,
): Promise<{ readonly payload: JWTPayload; readonly protectedHeader: ProtectedHeaderParameters }> {
  try {
    return await jwtVerify(proof, EmbeddedJWK, { algorithms, typ: 'dpop+jwt', currentDate: new Date(0) });
  } catch {
    throw refused('the proof does not verify');
  }
}

/** As at a registration: some keys verify the signatures of everybody. */
function strongKey(jwk: unknown): Ed25519PublicJwk {
  const read = isJsonObject(jwk) ? readPublicKey(jwk) : undefined;
  if (read?.ok !== true) throw refused('the key of the proof is not accepted');
  const { x } = read.publicKey.export({ format: 'jwk' });
  return { kty: 'OKP', crv: 'Ed25519', x: String(x) };
}

function refused(detail: string): Error {
  return new errors.InvalidDpopProof(detail);
}
