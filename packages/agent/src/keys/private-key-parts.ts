import { KeyError } from './key-error.js';
import { type PrivateKeyParts, partsFromPem } from './pkcs8.js';

/** A private Ed25519 JWK (RFC 8037 §2). */
export interface Ed25519PrivateJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly d: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly use?: string;
}

/** What `loadAgentKey` reads. */
export type AgentKeyInput = string | Uint8Array | Ed25519PrivateJwk;

const accepted =
  'Give a private JWK, a PKCS #8 PEM, or the 64-byte secretKey of nacl.sign.keyPair() (bytes or base64).';

/** Brings every accepted spelling down to the seed, and the public key if it was stated. Throws `KeyError`. */
export function privateKeyParts(input: unknown): PrivateKeyParts {
  if (input instanceof Uint8Array) return partsFromBytes(input);
  if (typeof input === 'string') return partsFromText(input.trim());
  if (typeof input === 'object' && input !== null) return partsFromJwk(input);
  throw new KeyError(`This is not a private key. ${accepted}`);
}

function partsFromText(text: string): PrivateKeyParts {
  if (text.includes('-----BEGIN')) return partsFromPem(text);
  if (text.startsWith('{')) return partsFromJwk(parseJson(text));
  const bytes = Buffer.from(text, 'base64');
  if (text === '' || bytes.toString('base64') !== text) {
    const file = /^[^\s]*\.(?:pem|key|jwk|json|txt)$/i.test(text)
      ? ' It looks like a file name: pass what is in the file.'
      : '';
    throw new KeyError(`This is not a private key.${file} ${accepted}`);
  }
  return partsFromBytes(bytes);
}

function partsFromBytes(bytes: Uint8Array): PrivateKeyParts {
  if (bytes.length === 32) return { seed: new Uint8Array(bytes) };
  if (bytes.length === 64) return { seed: bytes.slice(0, 32), publicKey: bytes.slice(32) };
  throw new KeyError(
    `A private key has 64 bytes (the secretKey of nacl.sign.keyPair()) or 32 (its seed), not ${bytes.length}.`,
  );
}

function partsFromJwk(jwk: object): PrivateKeyParts {
  const { kty, crv, x, d, alg, use } = jwk as Record<string, unknown>;
  if (kty !== 'OKP' || crv !== 'Ed25519') {
    throw new KeyError(`The JWK is not an Ed25519 key: it needs "kty":"OKP","crv":"Ed25519".`);
  }
  if (alg !== undefined && alg !== 'EdDSA' && alg !== 'Ed25519')
    throw new KeyError('The JWK is for another algorithm.');
  if (use !== undefined && use !== 'sig') throw new KeyError('The JWK is not for signing ("use" is not "sig").');
  if (d === undefined) throw new KeyError('The JWK is a public key: the private member "d" is missing.');
  return { seed: jwkBytes('d', d), publicKey: jwkBytes('x', x) };
}

function jwkBytes(member: string, value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64url') : undefined;
  if (bytes?.length !== 32 || bytes.toString('base64url') !== value) {
    throw new KeyError(`The JWK's "${member}" is not 32 bytes of unpadded base64url.`);
  }
  return new Uint8Array(bytes);
}

function parseJson(text: string): object {
  try {
    // It starts with a brace, so it parses to an object or not at all.
    return JSON.parse(text) as object;
  } catch {
    throw new KeyError('The key looks like a JWK, but is not JSON.');
  }
}
