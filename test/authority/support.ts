import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateAgentKey } from '@countersign/agent';
import { type Authority, type AuthorityOptions, createAuthority, openSqlite } from '@countersign/authority';
import { SignJWT } from 'jose';
import { onTestFinished } from 'vitest';

/** Serves on a free port of loopback until the test ends. */
export async function listen(
  listener: (request: Parameters<RequestListener>[0], response: Parameters<RequestListener>[1]) => void,
): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An identity provider, as the authority sees it: a name, its keys, and tokens of users. */
export function identityProvider(): {
  readonly options: NonNullable<AuthorityOptions['externalIssuers']>[number];
  /** `ahead`: so many seconds after now the user signs in. */
  token(user: string, scope: string, ahead?: number, jti?: string): Promise<string>;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const issuer = 'https://login.acme.dev';
  return {
    options: {
      issuer,
      audience: 'https://id.acme.dev',
      subjectNamespace: 'acme:',
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'login-1' }] },
    },
    async token(user, scope, ahead = 0, jti?: string) {
      const now = Math.floor(Date.now() / 1000) + ahead;
      const claims = { iss: issuer, sub: user, aud: 'https://id.acme.dev', scope, iat: now, exp: now + 300 };
      return await new SignJWT({ ...claims, ...(jti !== undefined && { jti }) })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'login-1' })
        .sign(privateKey);
    },
  };
}

export interface Started {
  readonly issuer: string;
  readonly authority: Authority;
  readonly idp: ReturnType<typeof identityProvider>;
}

type Mount = (authority: Authority) => RequestListener | Promise<RequestListener>;

/** An authority below a path of an application, by default alone and at the root. */
export async function startAuthority(
  options: Partial<AuthorityOptions> & { readonly audience: string; readonly path?: string },
  mount: Mount = ({ listener }) => listener,
): Promise<Started> {
  const { audience, path = '', ...rest } = options;
  let serve: RequestListener | undefined;
  const origin = await listen((request, response) => serve?.(request, response));
  const idp = identityProvider();
  const authority = await createAuthority({
    issuer: origin + path,
    secret: 'secret-of-the-tests-0123456789-0123456789',
    store: await openSqlite(':memory:'),
    resources: [{ audience }],
    externalIssuers: [idp.options],
    ...rest,
  });
  onTestFinished(() => authority.close());
  serve = await mount(authority);
  return { issuer: origin + path, authority, idp };
}

/** A key, as agents have it, and the two forms in which OAuth libraries want it. */
export async function newAgentKey() {
  const key = generateAgentKey();
  return { key, privateKey: await privateKeyOf(key) };
}

/** What a registration needs besides the key: that the sender holds it. */
export async function keyProof(
  issuer: string,
  agent: string,
  { keyId }: ReturnType<typeof generateAgentKey>,
  privateKey: Awaited<ReturnType<typeof privateKeyOf>>,
): Promise<string> {
  return await new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', typ: 'key-proof+jwt', kid: keyId })
    .setSubject(agent)
    .setAudience(`${issuer}/register`)
    .setExpirationTime('1m')
    .sign(privateKey);
}

/** The key, as OAuth libraries want it. */
export async function privateKeyOf(key: ReturnType<typeof generateAgentKey>) {
  const { kty, crv, x, d } = key.exportJwk();
  return await globalThis.crypto.subtle.importKey('jwk', { kty, crv, x, d }, 'Ed25519', true, ['sign']);
}
