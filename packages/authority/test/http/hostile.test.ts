import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { startAuthority } from '../support/authority.js';
import { newKey, post } from '../support/client.js';
import { engines } from '../support/stores.js';

const key = newKey();
const names = [
  '\0',
  'a\0b',
  '\ud800',
  '__proto__',
  'constructor',
  "'; DROP TABLE countersign_agents; --",
  '%',
  'x'.repeat(20_000),
  '😀',
  '',
];

describe.each(engines)('a stranger cannot cause a failure, on $name', ({ skip, open }) => {
  async function start() {
    const failures: string[] = [];
    const running = await startAuthority({ store: await open(), onTrouble: (message) => failures.push(message) });
    await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, redirectUris: ['https://a.example/cb'] });
    return { running, failures };
  }

  it.skipIf(skip)('with names of every kind', async () => {
    const { running, failures } = await start();
    const { issuer, admin } = running;
    const statuses = new Set<number>();
    const send = async (answer: Promise<Response>) => void statuses.add((await answer).status);
    for (const name of names) {
      const encoded = encodeURIComponent(Buffer.from(name).toString());
      const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
      for (const grant of [
        'client_credentials',
        'authorization_code',
        'urn:ietf:params:oauth:grant-type:token-exchange',
        name,
      ]) {
        const all = {
          grant_type: grant,
          scope: name,
          resource: name,
          code: name,
          code_verifier: name,
          subject_token: name,
        };
        await send(post(running, '/token', name, key, all));
        await send(
          post(running, '/token', 'agent-a', key, { ...all, redirect_uri: name, authorization_details: name }),
        );
      }
      await send(
        post(running, '/token', 'agent-a', key, { grant_type: 'client_credentials' }, { claims: { jti: name } }),
      );
      await send(
        post(
          running,
          '/token',
          'agent-a',
          key,
          { grant_type: 'client_credentials' },
          { claims: { sub: name, iss: name } },
        ),
      );
      await send(post(running, '/token', 'agent-a', key, { grant_type: 'client_credentials' }, { kid: name }));
      await send(post(running, '/introspect', 'agent-a', key, { token: name, token_type_hint: name }));
      await send(post(running, '/revoke', 'agent-a', key, { token: name }));
      await send(
        fetch(`${issuer}/authorize?client_id=${encoded}&response_type=code&redirect_uri=${encoded}&scope=${encoded}`, {
          redirect: 'manual',
        }),
      );
      await send(fetch(`${issuer}/register/${encoded}`, { headers: { authorization: 'Bearer AAAA' } }));
      await send(fetch(`${issuer}/challenge`, { ...json, body: JSON.stringify({ agent_id: name }) }));
      await send(
        fetch(`${issuer}/challenge/token`, {
          ...json,
          body: JSON.stringify({ agent_id: name, message: 'YTpi', signature: `${'A'.repeat(86)}==` }),
        }),
      );
      await send(fetch(`${issuer}/status/${encoded}`));
      await send(fetch(`${issuer}/${encoded}`));
      await send(admin('GET', `/agents/${encoded}`));
      await send(admin('GET', `/agents?tag=${encoded}&status=${encoded}`));
      await send(admin('PATCH', `/agents/${encoded}`, { status: 'suspended' }));
      await send(admin('PATCH', `/agents/agent-a`, { owner: name }));
      await send(admin('DELETE', `/agents/agent-a/keys/${encoded}`));
      await send(admin('POST', '/revocations', { subject: name }));
      await send(admin('POST', '/invitations', { id: name }));
    }
    expect(failures).toEqual([]);
    expect([...statuses].filter((status) => status >= 500)).toEqual([]);
    expect(await running.authority.agents.get('agent-a')).toBeDefined();
  });

  it.skipIf(skip)('with bodies of every kind', async () => {
    const { running, failures } = await start();
    const { issuer } = running;
    const types = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'];
    const bodies = [
      '',
      '{',
      '[]',
      'null',
      '"x"',
      '{"agent_id":{}}',
      '{"a":1,"a":2}',
      '['.repeat(50_000),
      'x'.repeat(70_000),
      'client_id=a&client_id=b',
      '%',
      '\0',
    ];
    const statuses = new Set<number>();
    for (const path of [
      '/token',
      '/introspect',
      '/revoke',
      '/register',
      '/challenge',
      '/challenge/token',
      '/agents.jwt',
      '/jwks',
    ]) {
      for (const type of types) {
        for (const body of bodies) {
          const headers = { 'content-type': type, authorization: 'Bearer AAAA' };
          statuses.add((await fetch(issuer + path, { method: 'POST', headers, body })).status);
        }
      }
    }
    expect(failures).toEqual([]);
    expect([...statuses].filter((status) => status >= 500 || status < 400)).toEqual([]);
  });
});

describe.each(engines)('only exact paths reach the library, on $name', ({ skip, open }) => {
  it.skipIf(skip).each([{}, { users: { authenticate: () => ({ user: { subject: 'user:rita' } }) }, approvals: {} }])(
    'with the options %j, so that strangers store nothing [O2]',
    async (options) => {
      const { issuer, store, authority } = await startAuthority({ store: await open(), ...options });
      await authority.agents.add({ id: 'agent-a', jwk: key.jwk, redirectUris: ['https://a.example/cb'] });
      const query = new URLSearchParams({
        client_id: 'agent-a',
        redirect_uri: 'https://a.example/cb',
        response_type: 'code',
        scope: 'openid',
        state: 'x'.repeat(8000),
        code_challenge: 'a'.repeat(43),
        code_challenge_method: 'S256',
      });
      for (const path of [
        '/Authorize',
        '/AUTHORIZE',
        '/authorize/',
        '/Authorize/resumed',
        '/%61uthorize',
        '//authorize',
        '/Token',
        '/token/',
        '/JWKS',
        '/interaction/x',
        '/session/end',
        '/.well-known/openid-configuration/',
      ]) {
        const answer = await fetch(`${issuer}${path}?${query.toString()}`, { redirect: 'manual' });
        expect([path, answer.status, answer.headers.getSetCookie()]).toEqual([path, 404, []]);
      }
      expect((await fetch(`${issuer}/jwks`)).status).toBe(200);
      expect((await fetch(`${issuer}/.well-known/openid-configuration`)).status).toBe(200);
      expect(await store.run({ text: 'SELECT model FROM countersign_models', values: [] })).toEqual([]);
    },
  );
});

describe('the listener', () => {
  it.each([
    'GET http://evil.example/token HTTP/1.1\r\nHost: evil.example',
    'OPTIONS * HTTP/1.1\r\nHost: x',
    'GET // HTTP/1.1\r\nHost: x',
    'GET //admin/agents HTTP/1.1\r\nHost: x',
    'GET /../admin/agents HTTP/1.1\r\nHost: x',
    'GET /%2e%2e/admin HTTP/1.1\r\nHost: x',
    'GET /status/0?x?y HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Host: evil2.example',
    'POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz',
    'POST /challenge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a"',
  ])('survives %j', async (head) => {
    const failures: string[] = [];
    const { issuer } = await startAuthority({ onTrouble: (message) => failures.push(message) });
    const socket = connect(Number(new URL(issuer).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.end(head.includes('\r\n\r\n') ? head : `${head}\r\nConnection: close\r\n\r\n`);
    socket.on('error', () => {});
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).not.toContain('evil2.example');
    expect(answer).not.toMatch(/^HTTP\/1.1 5/);
    expect(failures).toEqual([]);
    expect((await fetch(`${issuer}/jwks`)).status).toBe(200);
  });
});
