import { type JsonObject, member } from '@countersign/common';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { RegisteredKey } from '../agents/agent.js';
import { signerOf } from '../tokens/client-agent.js';
import { BadRequest } from './answer.js';

/** Another type than every other JWT that an agent signs, so that none of those counts as a proof. */
const proofType = 'key-proof+jwt';
const longestSeconds = 300;
const clockSkewSeconds = 5;

/**
 * Checks that the sender holds the private half of each key: `key_proofs` has a JWT for it, with its thumbprint as `kid`,
 * for this agent and this endpoint. Otherwise an agent could register the key of somebody else: what they sign would be its
 * own, and they could not register.
 *
 * @throws BadRequest
 */
export function checkKeyProofs(
  body: JsonObject,
  keys: readonly RegisteredKey[],
  expected: { readonly agent: string; readonly issuer: string; readonly now: number },
): void {
  const given = member(body, 'key_proofs') ?? [];
  const proofs = Array.isArray(given) && given.length <= 8 ? (given as readonly unknown[]) : [];
  for (const key of keys) {
    if (proofs.some((proof) => typeof proof === 'string' && proves(proof, key, expected))) continue;
    throw new BadRequest(
      400,
      'invalid_client_metadata',
      `'key_proofs' must have a JWT for the key ${key.thumbprint}: typ ${proofType}, its kid, sub ${expected.agent}, aud ${expected.issuer}/register, and an exp of at most ${longestSeconds} s`,
    );
  }
}

function proves(
  proof: string,
  key: RegisteredKey,
  { agent, issuer, now }: { readonly agent: string; readonly issuer: string; readonly now: number },
): boolean {
  try {
    const { typ, alg, kid, crit } = decodeProtectedHeader(proof);
    const { sub, aud, exp } = decodeJwt(proof);
    const isMeant = typ === proofType && kid === key.thumbprint && sub === agent && aud === `${issuer}/register`;
    const isSound = (alg === 'EdDSA' || alg === 'Ed25519') && crit === undefined && typeof exp === 'number';
    const isTimely = Number(exp) + clockSkewSeconds > now && Number(exp) <= now + longestSeconds + clockSkewSeconds;
    return isMeant && isSound && isTimely && signerOf(proof, [key]) !== undefined;
  } catch {
    return false;
  }
}
