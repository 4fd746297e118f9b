import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { expect, it, onTestFinished } from 'vitest';
import { startAuthority } from '../support/authority.js';
import { authenticatePeople } from '../support/approvals.js';
import { assertion, newKey, post } from '../support/client.js';
import { authorizeUrl, newPkce, open, startPages } from '../support/pages.js';

it.each(['', '/oidc'])('an authority below %j answers over HTTP/2, also bodies without a length', async (path) => {
  const { issuer, authority } = await startAuthority({ path });
  const key = newKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
  const server = createServer((request, response) => authority.listener(request as never, response as never));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  const send = async (method: string, below: string, body?: URLSearchParams) => {
    const type = body && { 'content-type': 'application/x-www-form-urlencoded' };
    const stream = client.request({ ':method': method, ':path': path + below, ...type });
    stream.end(body?.toString());
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    return { status: headers[':status'], text: (await stream.setEncoding('utf8').toArray()).join('') };
  };
  const form = async (more: Readonly<Record<string, string>>) =>
    new URLSearchParams({
      client_id: 'agent-a',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertion(issuer, 'agent-a', key),
      ...more,
    });
  const granted = await send('POST', '/token', await form({ grant_type: 'client_credentials' }));
  expect(granted.status).toBe(200);
  const { access_token: token } = JSON.parse(granted.text) as { access_token: string };
  const shown = await send('POST', '/introspect', await form({ token }));
  expect(JSON.parse(shown.text)).toMatchObject({ active: true, sub: 'agent-a' });
  expect(decodeJwt((await send('GET', '/agents.jwt')).text)).toMatchObject({ iss: issuer });
  expect((await send('POST', '/token')).status).toBe(400);
});

it('a query keeps the question marks that it has', async () => {
  const { running } = await startPages();
  const url = authorizeUrl(running.issuer, newPkce().challenge, { scope: 'unknown:scope', state: 'a-b' });
  const answered = await open(url.replace('state=a-b', 'state=a?b'), 'user:alice');
  expect(new URL(String(answered.headers.get('location'))).searchParams.get('state')).toBe('a?b');
});

it.each(['text', 'bytes', 'nothing'])('an application may have read a body and left its %s', async (kind) => {
  const { issuer, authority, server, admin } = await startAuthority({
    users: { authenticate: authenticatePeople },
    approvals: {},
  });
  const key = newKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage & { body?: unknown }, response: ServerResponse) => {
    void request.toArray().then((chunks) => {
      const bytes = Buffer.concat(chunks as Buffer[]);
      if (kind !== 'nothing') request.body = kind === 'text' ? bytes.toString() : bytes;
      authority.listener(request, response);
    });
  });
  const statuses = await Promise.all([
    post({ issuer }, '/token', 'agent-a', key, { grant_type: 'client_credentials' }),
    post({ issuer }, '/approval/poll', 'agent-a', key, { approval_id: 'x' }),
    admin('POST', '/invitations', { id: 'agent-b' }),
    admin('POST', '/invitations', { id: 'x'.repeat(70_000) }),
  ]);
  const expected = kind === 'nothing' ? [400, 401, 400, 400] : [200, 404, 201, 413];
  expect(statuses.map(({ status }) => status)).toEqual(expected);
});
