import { dpopProof, dpopRequest, ed25519ProofKey, type ProofOptions } from '../support/dpop.js';
import { forUser } from './kinds.js';
import type { Original } from './original.js';
import type { Random } from './random.js';
import { tokenFor } from './tokens.js';
import { authority, first, origin, thief } from './world.js';

/** DPoP binds method, path and token; neither query, nor fields, nor body (RFC 9449 §11.7). */
const bound = ['@method', '@authority', '@path', 'authorization', 'dpop'];

/** A request with a DPoP proof; in one of four the proof or the token is not one for it. */
export function dpopOriginal(random: Random, now: number): Original {
  const method = random.pick(['GET', 'POST']);
  const target = '/raw/dpop?n=1';
  const right: ProofOptions = {
    key: ed25519ProofKey(first.key),
    token: tokenFor(first, now, true),
    method,
    uri: `${origin}/raw/dpop`,
    claims: { jti: random.text(22), iat: Math.floor(now) },
  };
  const spoiled = random.chance(0.25);
  const proof = spoiled ? { ...right, ...random.pick(wrongProofs)(right, now) } : right;
  // A thief also brings a token of its own beside the proof of another's.
  const token = spoiled && random.chance(0.1) ? tokenFor(thief, now, true) : proof.token;
  const body = method === 'POST' ? JSON.stringify({ n: random.below(1000) }) : '';
  const request = dpopRequest({ method, target, host: authority, token, proofs: [dpopProof(proof)], body });
  const altered = spoiled ? 'wrongProof' : undefined;
  const identity = spoiled ? null : forUser('', first).identity;
  return { kind: 'dpop', proof: 'dpop', request, bound, chunked: false, altered, identity };
}

const wrongProofs: readonly ((right: ProofOptions, now: number) => Partial<ProofOptions>)[] = [
  () => ({ key: ed25519ProofKey(thief.key) }),
  (_right, now) => ({ token: tokenFor(first, now) }),
  (_right, now) => ({ token: tokenFor(thief, now, true) }),
  () => ({ method: 'PATCH' }),
  () => ({ uri: `${origin}/raw/other` }),
  () => ({ uri: 'https://other.example/raw/dpop' }),
  withClaims(() => ({ ath: 'AAAA' })),
  withClaims(() => ({ ath: undefined })),
  withClaims(() => ({ jti: 'short' })),
  withClaims(() => ({ jti: 7 })),
  withClaims((now) => ({ iat: Math.floor(now) - 1000 })),
  withClaims((now) => ({ iat: Math.floor(now) + 1000 })),
  withClaims((now) => ({ iat: String(now) })),
  () => ({ header: { typ: 'JWT' } }),
  () => ({ header: { alg: 'none' } }),
  () => ({ header: { alg: 'ES256' } }),
  () => ({ header: { jwk: thief.key.publicJwk } }),
  () => ({ header: { jwk: { ...first.key.publicJwk, d: 'AAAA' } } }),
  () => ({ header: { crit: ['x'] } }),
];

function withClaims(change: (now: number) => Readonly<Record<string, unknown>>) {
  return ({ claims }: ProofOptions, now: number): Partial<ProofOptions> => ({ claims: { ...claims, ...change(now) } });
}
