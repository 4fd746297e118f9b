import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { decodeJwt, type JWTPayload, SignJWT } from 'jose';
import { jwkThumbprint } from '@countersign/signature';
import { tokenExchange } from '../../src/tokens/client-agent.js';
import type { RunningAuthority } from './authority.js';

export interface AgentKey {
  readonly privateKey: KeyObject;
  /** Base64 of 32 bytes. */
  readonly publicKey: string;
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
  readonly thumbprint: string;
}

export function newKey(): AgentKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const x = String(createPublicKey(privateKey).export({ format: 'jwk' }).x);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x } as const;
  return { privateKey, jwk, publicKey: Buffer.from(x, 'base64url').toString('base64'), thumbprint: jwkThumbprint(jwk) };
}

export interface AssertionOptions {
  readonly alg?: 'EdDSA' | 'Ed25519';
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly kid?: string;
}

/** A client assertion (RFC 7523) of an agent. */
export async function assertion(
  issuer: string,
  agent: string,
  key: AgentKey,
  options: AssertionOptions = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const { alg = 'EdDSA', kid } = options;
  const claims = { iss: agent, sub: agent, aud: issuer, iat: now, exp: now + 60, jti: randomUUID(), ...options.claims };
  return await new SignJWT(claims).setProtectedHeader({ alg, ...(kid !== undefined && { kid }) }).sign(key.privateKey);
}

/** What an agent sends to register keys: with a proof that it holds them. */
export async function registration(issuer: string, agent: string, ...keys: readonly AgentKey[]): Promise<object> {
  const proofs = keys.map(async (key) => await keyProof(issuer, agent, key));
  return { jwks: { keys: keys.map(({ jwk }) => jwk) }, key_proofs: await Promise.all(proofs) };
}

export async function keyProof(
  issuer: string,
  agent: string,
  { privateKey, thumbprint }: AgentKey,
  { header, claims }: { readonly header?: object; readonly claims?: object } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT({ sub: agent, aud: `${issuer}/register`, exp: now + 60, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'key-proof+jwt', kid: thumbprint, ...header })
    .sign(privateKey);
}

/** Posts a form as an agent that authenticates with its key. */
export async function post(
  { issuer }: Pick<RunningAuthority, 'issuer'>,
  path: string,
  agent: string,
  key: AgentKey,
  parameters: Readonly<Record<string, string>>,
  options: AssertionOptions & { readonly assertion?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Response> {
  return await fetch(issuer + path, {
    method: 'POST',
    headers: { ...options.headers },
    body: new URLSearchParams({
      client_id: agent,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: options.assertion ?? (await assertion(issuer, agent, key, options)),
      ...parameters,
    }),
  });
}

export interface ProofChanges {
  readonly header?: object;
  readonly claims?: object;
  readonly sign?: (input: Buffer) => Uint8Array;
}

/** A DPoP proof for a POST to `url`. */
export function dpopProof(url: string, key: AgentKey, { header, claims, sign: by }: ProofChanges = {}): string {
  const parts = [
    { typ: 'dpop+jwt', alg: 'EdDSA', jwk: key.jwk, ...header },
    { htm: 'POST', htu: url, jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims },
  ];
  const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = (by ?? ((text: Buffer) => sign(null, text, key.privateKey)))(Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly error?: string;
  readonly error_description?: string;
}

export async function ownToken(
  running: RunningAuthority,
  agent: string,
  key: AgentKey,
  parameters: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  const response = await post(running, '/token', agent, key, { grant_type: 'client_credentials', ...parameters });
  return (await response.json()) as TokenAnswer;
}

export async function exchange(
  running: RunningAuthority,
  agent: string,
  key: AgentKey,
  subjectToken: string,
  parameters: Readonly<Record<string, string>> = {},
  options: Parameters<typeof post>[5] = {},
): Promise<TokenAnswer> {
  const exchanged = {
    grant_type: tokenExchange,
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    ...parameters,
  };
  const response = await post(running, '/token', agent, key, exchanged, options);
  return (await response.json()) as TokenAnswer;
}

export function claimsOf(token: string): JWTPayload {
  return decodeJwt(token);
}
