/** Of which type a key must be for an algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864). */
interface KeyType {
  readonly kty: 'OKP' | 'EC' | 'RSA';
  readonly crv?: string;
}

const ed25519 = { kty: 'OKP', crv: 'Ed25519' } as const;
const rsa = { kty: 'RSA' } as const;

/**
 * Every signature algorithm of a token that can be switched on. Asymmetric only: `none` and HMAC have no row, so no
 * option can let them in. `EdDSA` is the older name that RFC 9864 replaces by `Ed25519`; here both mean Ed25519.
 */
const keyTypes: ReadonlyMap<string, KeyType> = new Map<string, KeyType>([
  ['Ed25519', ed25519],
  ['EdDSA', ed25519],
  ['ES256', { kty: 'EC', crv: 'P-256' }],
  ['ES384', { kty: 'EC', crv: 'P-384' }],
  ['ES512', { kty: 'EC', crv: 'P-521' }],
  ['PS256', rsa],
  ['PS384', rsa],
  ['PS512', rsa],
  ['RS256', rsa],
  ['RS384', rsa],
  ['RS512', rsa],
]);

export const signatureAlgorithms: readonly string[] = [...keyTypes.keys()];

/**
 * What an issuer may use unless its options say otherwise: what issuers do use. RS256 stays in because RFC 9068 §2.1
 * obliges every issuer and resource server to support it; PKCS #1 v1.5 verification has no known break.
 */
export const defaultAlgorithms: readonly string[] = ['Ed25519', 'EdDSA', 'ES256', 'ES384', 'PS256', 'RS256'];

export function isSignatureAlgorithm(value: unknown): value is string {
  return typeof value === 'string' && keyTypes.has(value);
}

/** Which algorithms fit a key of this type. The key's own type decides, not what a token header says about it. */
export function algorithmsFor(kty: unknown, crv: unknown): readonly string[] {
  return signatureAlgorithms.filter((name) => {
    const type = keyTypes.get(name);
    return type !== undefined && type.kty === kty && (type.crv === undefined || type.crv === crv);
  });
}
