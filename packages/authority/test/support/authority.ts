import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Authority, AuthorityOptions } from '../../src/index.js';
import { createAuthority, openSqlite, type Store } from '../../src/index.js';

export const adminToken = 'admin-token-of-the-tests-0123456789';
export const api = 'https://api.acme.dev';

export interface RunningAuthority {
  readonly issuer: string;
  readonly authority: Authority;
  readonly server: Server;
  readonly store: Store;
  /** Sends JSON as the administrator. */
  admin(method: string, path: string, body?: unknown): Promise<Response>;
}

/** An authority on a free port of loopback. It is stopped after the test. */
export async function startAuthority(
  options: Partial<AuthorityOptions> & {
    readonly path?: string;
    /** Makes further options, once the address is known. */
    readonly prepare?: (address: string) => Promise<Partial<AuthorityOptions>>;
  } = {},
): Promise<RunningAuthority> {
  const { path = '', prepare, ...rest } = options;
  const server = createServer((request, response) => authority.listener(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const store = rest.store ?? (await openSqlite(':memory:'));
  const authority = await createAuthority({
    issuer,
    secret: 'secret-of-the-tests-0123456789-0123456789',
    resources: [{ audience: api }, { audience: 'https://other.acme.dev', scopes: ['repo:read'] }],
    adminTokens: [adminToken],
    ...rest,
    ...(await prepare?.(issuer)),
    store,
  });
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await authority.close();
  });
  return {
    issuer,
    authority,
    server,
    store,
    admin: async (method, target, body) =>
      await fetch(`${issuer}/admin${target}`, {
        method,
        headers: {
          authorization: `Bearer ${adminToken}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
  };
}
