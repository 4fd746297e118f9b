import type { SigningKey } from '@countersign/signature';

/** How a client proves itself at an endpoint of an authority. */
export interface ClientProof {
  readonly parameters: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Signs a JWT. `header` says with which algorithm; the key is Ed25519. */
export async function signJwt(key: SigningKey, header: object, claims: object): Promise<string> {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${Buffer.from(await key.sign(Buffer.from(input))).toString('base64url')}`;
}
