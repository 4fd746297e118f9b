import { KeyError } from './key-error.js';

// RFC 8410 §7: an Ed25519 private key has one DER encoding per version, so both are compared byte for byte.
const versionOne = Buffer.from('302e020100300506032b657004220420', 'hex'); // then the seed
const versionTwo = Buffer.from('3051020101300506032b657004220420', 'hex'); // then the seed, 812100, the public key
const publicKeyField = Buffer.from('812100', 'hex');

/** The DER of a PKCS #8 private key (RFC 8410 §7). */
export function pkcs8FromSeed(seed: Uint8Array): Buffer {
  return Buffer.concat([versionOne, seed]);
}

/** The PEM of a PKCS #8 private key, as `openssl genpkey -algorithm ed25519` writes it. */
export function pemFromSeed(seed: Uint8Array): string {
  return `-----BEGIN PRIVATE KEY-----\n${pkcs8FromSeed(seed).toString('base64')}\n-----END PRIVATE KEY-----\n`;
}

export interface PrivateKeyParts {
  readonly seed: Uint8Array;
  /** Present when the input stated it; still to be checked against the seed. */
  readonly publicKey?: Uint8Array;
}

/** Reads an unencrypted PKCS #8 PEM that holds an Ed25519 key. Throws `KeyError`. */
export function partsFromPem(pem: string): PrivateKeyParts {
  const found = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/.exec(pem);
  const label = found?.[1] ?? /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1];
  if (label === 'ENCRYPTED PRIVATE KEY') {
    throw new KeyError('The PEM is encrypted. Decrypt it first, for example: openssl pkey -in key.pem -out plain.pem');
  }
  if (label !== undefined && label !== 'PRIVATE KEY') {
    throw new KeyError(`The PEM holds a ${label}; a PKCS #8 PRIVATE KEY is needed.`);
  }
  if (found?.[2] === undefined) throw new KeyError('The PEM is incomplete.');
  const parts = partsFromDer(Buffer.from(found[2], 'base64'));
  if (parts === undefined) throw new KeyError('The PEM holds a private key, but not an Ed25519 one.');
  return parts;
}

function partsFromDer(der: Buffer): PrivateKeyParts | undefined {
  const seed = new Uint8Array(der.subarray(16, 48));
  if (der.length === 48 && der.subarray(0, 16).equals(versionOne)) return { seed };
  const isVersionTwo =
    der.length === 83 && der.subarray(0, 16).equals(versionTwo) && der.subarray(48, 51).equals(publicKeyField);
  return isVersionTwo ? { seed, publicKey: new Uint8Array(der.subarray(51)) } : undefined;
}
