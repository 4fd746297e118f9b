import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startAuthority } from '../support/authority.js';
import { exchange, newKey, post } from '../support/client.js';

interface IdentityProvider {
  readonly issuer: string;
  readonly asked: string[];
  /** Answers in place of the usual ones, by path. */
  readonly instead: Map<string, (response: ServerResponse) => void>;
  rotate(): void;
  token(): Promise<string>;
}

const discovery = '/.well-known/openid-configuration';

function newSigningKey(): { readonly key: KeyObject; readonly jwk: object } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { key: privateKey, jwk: publicKey.export({ format: 'jwk' }) };
}

/** An identity provider whose keys are discovered. */
async function identityProvider(): Promise<IdentityProvider> {
  const asked: string[] = [];
  const instead: IdentityProvider['instead'] = new Map();
  let current = newSigningKey();
  let rotations = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const other = instead.get(path);
    if (other !== undefined) {
      other(response);
      return;
    }
    const keys = { keys: [{ ...current.jwk, kid: `key-${rotations}` }] };
    response.end(JSON.stringify(path === discovery ? { issuer, jwks_uri: `${issuer}/keys` } : keys));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    asked,
    instead,
    rotate() {
      current = newSigningKey();
      rotations += 1;
    },
    async token() {
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: issuer, sub: 'alice', aud: 'authority', scp: ['repo:read'], iat: now, exp: now + 60 };
      const header = { alg: 'EdDSA', typ: 'JWT', kid: `key-${rotations}` };
      return await new SignJWT(claims).setProtectedHeader(header).sign(current.key);
    },
  };
}

async function world() {
  const idp = await identityProvider();
  const running = await startAuthority({
    externalIssuers: [
      { issuer: idp.issuer, audience: 'authority', subjectNamespace: 'acme:', tokenTypes: ['JWT'], scopeClaim: 'scp' },
    ],
    exchange: [{ agents: ['agent-a'], issuer: idp.issuer }],
    onTrouble: () => {},
  });
  const key = newKey();
  await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo'] });
  const statusOf = async (token: string) => {
    const response = await post(running, '/token', 'agent-a', key, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    return response.status;
  };
  return { idp, running, key, statusOf };
}

describe('the keys of an external issuer', () => {
  it('are discovered once, for tokens that are typed JWT and list scopes in scp', async () => {
    const { idp, running, key } = await world();
    const [one, two] = await Promise.all([
      exchange(running, 'agent-a', key, await idp.token()),
      exchange(running, 'agent-a', key, await idp.token()),
    ]);
    expect([one.scope, two.scope]).toEqual(['repo:read', 'repo:read']);
    expect(idp.asked).toEqual([discovery, '/keys']);
  });

  it('are not fetched for tokens of other issuers, nor from where a header says [A14, B2]', async () => {
    const { idp, statusOf } = await world();
    const [header = '', payload = ''] = (await idp.token()).split('.');
    const other = Buffer.from(payload, 'base64url').toString().replaceAll(idp.issuer, `${idp.issuer}/other`);
    expect(await statusOf(`${header}.${Buffer.from(other).toString('base64url')}.AAAA`)).toBe(400);
    expect(idp.asked).toEqual([]);
    const jku = { alg: 'EdDSA', typ: 'JWT', jku: `${idp.issuer}/evil`, kid: 'key-0' };
    expect(await statusOf(`${Buffer.from(JSON.stringify(jku)).toString('base64url')}.${payload}.AAAA`)).toBe(400);
    expect(idp.asked).not.toContain('/evil');
  });

  it.each([
    ['name another issuer', discovery, { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/keys' }],
    ['have no address', discovery, {}],
    ['are on plain http', discovery, { jwks_uri: 'http://evil.example/keys' }],
    ['are no JWK Set', '/keys', {}],
  ])('are an outage when they %s, and are asked for again [A14, B4]', async (_, path, body) => {
    const { idp, statusOf } = await world();
    const named = path === discovery ? { issuer: idp.issuer } : {};
    idp.instead.set(path, (response) => void response.end(JSON.stringify({ ...named, ...body })));
    expect(await statusOf(await idp.token())).toBe(503);
    idp.instead.clear();
    expect(await statusOf(await idp.token())).toBe(200);
  });

  it('are an outage when the issuer redirects, answers 500, or too much [A14]', async () => {
    const { idp, statusOf } = await world();
    for (const answer of [
      (response: ServerResponse) => response.writeHead(302, { location: `${idp.issuer}/evil` }).end(),
      (response: ServerResponse) => response.writeHead(500).end(),
      (response: ServerResponse) => response.end(JSON.stringify({ issuer: idp.issuer, x: 'x'.repeat(300_000) })),
    ]) {
      idp.instead.set(discovery, (response) => void answer(response));
      expect(await statusOf(await idp.token())).toBe(503);
    }
    expect(idp.asked).not.toContain('/evil');
  });

  it('are not asked for again and again for a key that the issuer does not have [A14]', async () => {
    const { idp, statusOf } = await world();
    expect(await statusOf(await idp.token())).toBe(200);
    idp.rotate();
    for (let attempt = 0; attempt < 5; attempt++) expect(await statusOf(await idp.token())).toBe(400);
    expect(idp.asked.filter((path) => path === '/keys')).toHaveLength(1);
  });

  it('are kept when a refresh fails that a token of a stranger caused [A14]', async () => {
    const { idp, statusOf } = await world();
    const valid = [await idp.token(), await idp.token()];
    expect(await statusOf(valid[0] ?? '')).toBe(200);
    idp.instead.set('/keys', (response) => void response.writeHead(500).end());
    idp.rotate();
    const strange = await idp.token();
    // Past the pause between two fetches, and before the tokens expire.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(await statusOf(strange)).toBe(503);
    expect(await statusOf(valid[1] ?? '')).toBe(200);
  });
});
