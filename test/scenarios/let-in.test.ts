import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { onEverySetup } from '../support/api.js';
import { serialized, sha256Digest, alsoSigned } from '../support/signed-request.js';
import { keyNamed } from '../support/keys.js';
import { issuer, reviewer, reviewerCapabilities, reviewerId, runner, runnerId, userId } from '../support/world.js';

onEverySetup('Requests that are let in', (api) => {
  it('an agent acts for itself', async () => {
    const { response, records } = await api.accepts(api.signed({ target: '/invoices?month=2026-11' }), 200);
    expect(JSON.parse(response.body)).toEqual({ query: { month: '2026-11' } });
    expect(records.map(({ phase }) => phase)).toEqual(['decision', 'outcome']);
    expect(records[0]).toMatchObject({
      decision: 'allow',
      actor: { id: reviewerId, keyId: reviewer.thumbprint },
      subject: { id: reviewerId, type: 'agent' },
      action: 'invoice.read',
      resource: { type: 'Dataset', id: 'billing' },
      policies: ['policies.cedar#invoices'],
      request: { method: 'GET', path: api.at('/invoices'), remoteAddress: '127.0.0.1' },
    });
  });

  it('who am I: the agent, with its capabilities', async () => {
    const { response, records } = await api.accepts(api.signed(), 200);
    expect(JSON.parse(response.body)).toMatchObject({
      actor: { id: reviewerId, type: 'agent', keyId: reviewer.thumbprint, owner: 'platform-team', roles: ['reviewer'] },
      subject: { id: reviewerId, type: 'agent' },
      chain: [{ id: reviewerId, proof: 'signature' }],
      scope: reviewerCapabilities.toSorted(),
    });
    expect(records.map(({ phase }) => phase)).toEqual(['outcome']);
  });

  it('answers and refusals to agents are not cacheable by shared caches [A13]', async () => {
    const { response } = await api.accepts(api.signed({ target: '/invoices' }), 200);
    expect(response.headers['cache-control']).toBe('private');
    const { response: nothing } = await api.answers(api.signed({ target: '/nowhere' }), 404);
    expect(nothing.headers['cache-control']).toBe('private');
    const { response: denied } = await api.denies(
      api.signed({ key: runner, target: '/invoices' }),
      403,
      'policy_denied',
    );
    expect(denied.headers['cache-control']).toBe('no-store');
    const open = await api.send({ ...api.signed({ target: '/public' }) });
    expect(open.headers).not.toHaveProperty('cache-control');
  });

  it('not even where the application says otherwise of all its answers [A13]', async () => {
    const said = {
      expires: 'Fri, 01 Jan 2100 00:00:00 GMT',
      'x-accel-expires': '30',
      'surrogate-control': 'max-age=30',
    };
    const targeted = { 'cdn-cache-control': 'max-age=30', 'Cloudflare-CDN-Cache-Control': 'max-age=30' };
    const fields = Object.entries({ ...said, ...targeted, 'cache-control': 'max-age=30', vary: 'accept' });
    const before = async (_request: IncomingMessage, response: ServerResponse) =>
      void response.setHeaders(new Map(fields));
    const other = await api.variant({ start: { before } });
    const throwing = await api.variant({ start: { before, admission: { onRefusal: 'throw' } } });
    const { response } = await other.accepts(other.signed({ target: '/invoices' }), 200);
    const stranger = await other.send({
      ...other.signed({ target: '/invoices' }),
      fields: [['Host', other.authority]],
    });
    const { response: denied } = await other.denies(
      other.signed({ key: runner, target: '/invoices' }),
      403,
      'policy_denied',
    );
    expect(response.headers).toMatchObject({ 'cache-control': 'private, max-age=30', vary: 'accept' });
    for (const { headers } of [stranger, denied]) expect(headers['cache-control']).toBe('no-store');
    const thrown = await throwing.send({
      ...throwing.signed({ target: '/invoices' }),
      fields: [['Host', throwing.authority]],
    });
    expect(thrown.status).toBeGreaterThanOrEqual(400);
    for (const { headers } of [response, stranger, denied, thrown])
      expect(Object.keys(headers).filter((name) => /expires|surrogate|cdn/i.test(name))).toEqual([]);
  });

  it('an agent acts for a user', async () => {
    const { response, records } = await api.accepts(await api.pull({ jti: 'delegation-1' }), 201);
    expect(JSON.parse(response.body)).toMatchObject({
      actor: { id: reviewerId },
      subject: { id: userId, type: 'user', issuer: issuer.issuer },
      chain: [
        { id: userId, type: 'user', proof: 'issuer' },
        { id: reviewerId, type: 'agent', proof: 'issuer', delegationId: 'delegation-1' },
      ],
      body: api.bodyParser === 'after' ? { title: 'x' } : null,
    });
    expect(records[0]).toMatchObject({
      phase: 'decision',
      decision: 'allow',
      actor: { id: reviewerId },
      subject: { id: userId, type: 'user', issuer: issuer.issuer },
      scope: ['pr:write:draft', 'repo:read'],
      policies: ['policies.cedar#drafts-for-the-user'],
    });
    expect(records[1]?.request.id).toBe(records[0]?.request.id);
  });

  it('the scope is the intersection of the token and the capabilities', async () => {
    const token = await api.token({ scope: 'pr invoice:read:march secrets' });
    const { response } = await api.accepts(api.signed({ token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ scope: ['invoice:read:march', 'pr:write:draft'] });
  });

  it('a token about the agent itself only narrows its rights', async () => {
    const token = await api.token({ sub: reviewerId, act: undefined, scope: 'repo:read' });
    const { response } = await api.accepts(api.signed({ token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ subject: { type: 'agent' }, scope: ['repo:read'] });
    await api.denies(api.signed({ token, target: '/invoices' }), 403, 'policy_denied');
  });

  it('a token bound by cnf.jkt to the key that signs', async () => {
    const token = await api.token({ cnf: { jkt: reviewer.thumbprint } });
    await api.accepts(await api.pull({}, { token }), 201);
  });

  it('an agent that only its issuer vouches for, by cnf.jwk', async () => {
    const guest = keyNamed('guest');
    const token = await api.token({
      act: { sub: 'agent-guest' },
      cnf: { jwk: guest.publicJwk },
      scope: 'invoice:read',
    });
    const { response, records } = await api.accepts(api.signed({ key: guest, token, target: '/invoices' }), 200);
    expect(response.status).toBe(200);
    expect(records[0]).toMatchObject({
      actor: { id: 'agent-guest', keyId: guest.thumbprint },
      subject: { id: userId },
      scope: ['invoice:read'],
    });
  });

  it('a signature over @target-uri instead of its parts', async () => {
    await api.accepts(api.signed({ covered: ['"@method"', '"@target-uri"'], target: '/invoices?a=b' }), 200);
  });

  it('any label, any order, unknown parameters, and alg said aloud', async () => {
    await api.accepts(
      api.signed({
        label: 'x-_.*1',
        covered: ['"@query"', '"host"', '"@path"', '"@method"', '"@authority"'],
        parameters: { alg: '"ed25519"', 'my-own': '"1"', expires: undefined },
      }),
      200,
    );
  });

  it('signatures of other profiles beside ours', async () => {
    const other = api.signed({
      key: keyNamed('cdn'),
      label: 'cdn',
      covered: ['"host"'],
      parameters: { tag: '"web-bot-auth"' },
    });
    await api.accepts(alsoSigned(api.signed(), other), 200);
    await api.accepts(alsoSigned(other, api.signed()), 200);
  });

  it('sha-512, or both digests at once', async () => {
    const body = '{"title":"y"}';
    const sha512 = `sha-512=:${createHash('sha512').update(body).digest('base64')}:`;
    await api.accepts(await api.pull({}, { body, digest: sha512 }), 201);
    await api.accepts(await api.pull({}, { body, digest: `${sha256Digest(body)}, ${sha512}, md5=:AAAA:` }), 201);
  });

  it('a body without a content type, and an empty body with its digest', async () => {
    await api.accepts(api.signed({ method: 'PUT', target: '/upload', body: 'raw', contentType: null }), 200);
    await api.accepts(api.signed({ digest: sha256Digest('') }), 200);
  });

  it('a chunked upload, read as a stream', async () => {
    const data = Buffer.alloc(300_000, 'stream me ');
    const request = api.signed({
      method: 'PUT',
      target: '/upload',
      body: data,
      contentType: 'application/octet-stream',
      fields: [['Transfer-Encoding', 'chunked']],
    });
    const chunks = [data.subarray(0, 1), data.subarray(1, 100_000), data.subarray(100_000)].map((chunk) =>
      Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    );
    const { response } = await api.accepts(
      { ...request, body: Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]) },
      200,
    );
    expect(JSON.parse(response.body)).toEqual({
      bytes: data.length,
      sha256: createHash('sha256').update(data).digest('hex'),
    });
  });

  it('an answer without a body', async () => {
    const { records } = await api.accepts(
      api.signed({ key: runner, method: 'DELETE', target: '/records/42', body: '' }),
      204,
    );
    expect(records[0]).toMatchObject({ actor: { id: runnerId }, resource: { type: 'Record', id: '42' } });
  });

  it('HEAD is decided like GET, and runs its handler [D7]', async () => {
    const { response, records } = await api.accepts(api.signed({ method: 'HEAD', target: '/invoices' }), 200);
    expect(response.body).toBe('');
    expect(records[0]).toMatchObject({ action: 'invoice.read', request: { method: 'HEAD' } });
  });

  it('an unguarded route, unsigned', async () => {
    const before = api.records.length;
    const response = await api.send(Buffer.from(`GET ${api.at('/public')} HTTP/1.1\r\nHost: ${api.authority}\r\n\r\n`));
    expect(response.status).toBe(200);
    expect(api.records).toHaveLength(before);
  });

  it('a path without a route gets 404 after verification', async () => {
    const { records } = await api.answers(api.signed({ target: '/nowhere' }), 404);
    expect(records).toMatchObject([{ phase: 'outcome', actor: { id: reviewerId } }]);
  });

  it('a body that no handler reads does not delay the answer', async () => {
    const body = JSON.stringify('x'.repeat(90_000));
    await api.accepts(await api.pull({}, { body: `{"title":${body}}` }), 201);
  });

  it('several requests on one connection, a refused one among them', async () => {
    await api.recordedOutcomes(2, async () => {
      const connection = await api.connect();
      connection.write(serialized(api.signed({ target: '/invoices' })));
      expect((await connection.read()).status).toBe(200);
      connection.write(serialized(await api.pull({}, { digest: sha256Digest('other') })));
      expect((await connection.read()).status).toBe(401);
      connection.write(serialized(await api.pull()));
      const last = await connection.read();
      expect(last.status).toBe(201);
      expect(JSON.parse(last.body)).toMatchObject({ body: api.bodyParser === 'after' ? { title: 'x' } : null });
      connection.destroy();
    });
  });

  it('pipelined requests are answered in order', async () => {
    await api.recordedOutcomes(3, async () => {
      const connection = await api.connect();
      connection.write(
        Buffer.concat([serialized(await api.pull()), serialized(api.signed()), serialized(await api.pull())]),
      );
      expect((await connection.read()).status).toBe(201);
      expect((await connection.read()).status).toBe(200);
      expect((await connection.read()).status).toBe(201);
      connection.destroy();
    });
  });
});
