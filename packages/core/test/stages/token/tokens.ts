import { createHmac, createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';

export const issuer = 'https://id.example';
export const audience = 'https://api.example';
/** The moment at which tests happen, in unix seconds. */
export const now = 1_800_000_000;

export interface IssuerTestKey {
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly jwk: JsonWebKey;
}

const generators: Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }> = {
  Ed25519: () => generateKeyPairSync('ed25519'),
  EdDSA: () => generateKeyPairSync('ed25519'),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

export function newIssuerKey(alg: string, members: JsonWebKey = {}): IssuerTestKey {
  const { privateKey, publicKey } = generators[alg]!();
  return { alg, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), ...members } };
}

export function signatureOf(alg: string, data: Buffer, key: KeyObject): Buffer {
  if (alg === 'Ed25519' || alg === 'EdDSA') return sign(null, data, key);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return createHmac(hash, key).update(data).digest();
  if (alg.startsWith('ES')) return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  return sign(hash, data, alg.startsWith('PS') ? { key, padding: 6, saltLength: Number(alg.slice(2)) / 8 } : { key });
}

/** Signs whatever header and payload are given, also nonsense: text goes in as it is, objects as JSON. */
export function jws(
  header: object | string,
  payload: object | string,
  key: { alg: string; privateKey: KeyObject },
): string {
  const [first, second] = [header, payload].map((part) =>
    Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'),
  );
  const input = `${first}.${second}`;
  return `${input}.${signatureOf(key.alg, Buffer.from(input), key.privateKey).toString('base64url')}`;
}

/** Claims of a good delegation. */
export const claims = {
  iss: issuer,
  sub: 'user_123',
  aud: audience,
  exp: now + 300,
  iat: now,
  jti: 'delegation-1',
  client_id: 'agent-a',
  scope: 'repo:read pr:write:draft',
  act: { sub: 'agent-a' },
} as const;

export const header = { typ: 'at+jwt', alg: 'Ed25519' } as const;

export function privateKeyOf(jwk: JsonWebKey): KeyObject {
  return createPrivateKey({ key: jwk, format: 'jwk' });
}
