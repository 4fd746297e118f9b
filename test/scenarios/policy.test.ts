import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cedarFromDirectory } from '@countersign/core';
import { expect, it, onTestFinished, vi } from 'vitest';
import { onEveryHost } from '../support/api.js';
import { patiently } from '../support/patiently.js';
import { policies, reviewer, reviewerId, runner, runnerId, schema, userId } from '../support/world.js';

onEveryHost('A policy decision', (api) => {
  it('is 403 without a permit, with the caller and no policy in the record [D14]', async () => {
    const { records, response } = await api.denies(
      api.signed({ key: runner, target: '/invoices' }),
      403,
      'policy_denied',
    );
    expect(records[0]).toMatchObject({
      actor: { id: runnerId, keyId: runner.thumbprint },
      subject: { id: runnerId, type: 'agent' },
      action: 'invoice.read',
      resource: { type: 'Dataset', id: 'billing' },
      policies: [],
    });
    expect(response.headers).not.toHaveProperty('www-authenticate');
    expect(response.headers).not.toHaveProperty('accept-signature');
  });

  it('is not made without authentication, which is 401 even if policy would deny [D14]', async () => {
    await api.refuses(
      api.signed({ key: runner, target: '/invoices', sign: () => Buffer.alloc(64) }),
      401,
      'signature_invalid',
    );
  });

  it('denies the agent alone an action that it may do for the user', async () => {
    const request = api.signed({ method: 'POST', target: '/repos/acme/api/pulls', body: '{}' });
    await api.denies(request, 403, 'policy_denied');
  });

  it('denies another user, another repository and a narrower scope', async () => {
    const { records } = await api.denies(await api.pull({ sub: 'user_456' }), 403, 'policy_denied');
    expect(records[0]).toMatchObject({ actor: { id: reviewerId }, subject: { id: 'user_456', type: 'user' } });
    await api.denies(await api.pull({}, { target: '/repos/acme/web/pulls' }), 403, 'policy_denied');
    await api.denies(await api.pull({ scope: 'repo:read' }), 403, 'policy_denied');
    await api.denies(await api.pull({ scope: 'pr:writer' }), 403, 'policy_denied');
  });

  it('allows a wider scope than policy requires', async () => {
    await api.accepts(await api.pull({ scope: 'pr:write' }), 201);
  });

  it('denies when a forbid fails, even beside a permit [D1]', async () => {
    const merge = (repo: string) => api.signed({ method: 'POST', target: `/repos/acme/${repo}/merge` });
    await api.accepts(merge('api'), 200);
    const { records } = await api.denies(merge('faulty'), 403, 'policy_error');
    expect(records[0]).toMatchObject({ policies: ['policies.cedar#faulty-forbid'] });
    expect(records[0]?.detail).toContain('overflow');
    // A failed request does not affect the next.
    await api.accepts(merge('api'), 200);
  });

  it('obeys a forbid that is written to the folder of policies, without a restart [D6]', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-policies-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'world.cedar'), policies);
    writeFileSync(join(folder, 'world.cedarschema'), schema);
    const own = await api.variant({ start: { guard: { policy: await cedarFromDirectory(folder) } } });
    const read = () => own.signed({ target: '/invoices' });
    await own.accepts(read(), 200);
    const forbid = '@id("freeze") forbid(principal, action == Action::"invoice.read", resource);';
    writeFileSync(join(folder, '.freeze'), forbid);
    renameSync(join(folder, '.freeze'), join(folder, 'freeze.cedar'));
    await vi.waitFor(async () => expect((await own.send(read())).status).toBe(403), patiently);
    const { records } = await own.denies(read(), 403, 'policy_denied');
    expect(records[0]).toMatchObject({ policies: ['freeze.cedar#freeze'] });
  });

  it('denies HEAD like GET [D7]', async () => {
    const { response } = await api.denies(
      api.signed({ key: runner, method: 'HEAD', target: '/invoices' }),
      403,
      'policy_denied',
    );
    expect(response.body).toBe('');
  });

  it.each(['HEAD', 'OPTIONS', 'PROPFIND', 'PATCH', 'TRACE', 'PURGE', 'M-SEARCH'])(
    'an unsigned %s is refused like any other method [D7]',
    async (method) => {
      const raw = Buffer.from(`${method} /invoices HTTP/1.1\r\nHost: ${api.authority}\r\n\r\n`);
      const before = api.records.length;
      const response = await api.send(raw, method);
      expect(response.status).toBe(401);
      expect(api.running.handled.filter((name) => name === 'invoice.read')).toEqual([]);
      expect(api.records.slice(before)).toMatchObject([{ code: 'signature_required', request: { method } }]);
    },
  );

  it.each(['OPTIONS', 'PROPFIND', 'PATCH'])('a signed %s reaches no handler of another method [D7]', async (method) => {
    await api.answers(api.signed({ method, target: '/invoices' }));
  });

  it.each([
    ['a quotation mark', '%22', '"'],
    ['another entity', '%22%20%7C%7C%20resource%20%3D%3D%20Repo%3A%3A%22acme', '" || resource == Repo::"acme'],
    ['a line feed', '%0A', '\n'],
    ['a user', 'User%3A%3A%22admin%22', 'User::"admin"'],
    ['a name of JavaScript', '__proto__', '__proto__'],
    ['an escape of Cedar', '__entity', '__entity'],
  ])('%s in an id stays an id [D9]', async (_title, encoded, id) => {
    const { records } = await api.accepts(
      api.signed({ key: runner, method: 'DELETE', target: `/records/${encoded}` }),
      204,
    );
    expect(records[0]).toMatchObject({ decision: 'allow', resource: { type: 'Record', id } });
    const denied = await api.denies(
      api.signed({ method: 'DELETE', target: `/records/${encoded}` }),
      403,
      'policy_denied',
    );
    expect(denied.records[0]).toMatchObject({ resource: { type: 'Record', id } });
  });

  it('an id that a record would cut is refused: a handler may skip its padding [D9, F3]', async () => {
    const request = api.signed({ key: runner, method: 'DELETE', target: `/records/${'0'.repeat(1024)}42` });
    // Fastify refuses long parameters itself, before any hook; older ones find no route.
    if (api.host === 'fastify5') return expect([404, 414]).toContain((await api.send(request)).status);
    const { records } = await api.denies(request, 403, 'policy_denied');
    expect(records[0]?.detail).toContain('a record keeps');
  });

  it('uses one id for owner and repository that no other pair has [D9]', async () => {
    await api.denies(await api.pull({}, { target: '/repos/acme/api%22%20%7C%7C%20true/pulls' }), 403, 'policy_denied');
    await api.denies(await api.pull({}, { target: '/repos/acme/API/pulls' }), 403, 'policy_denied');
  });

  it('gives a missing and a forbidden resource the same answer [D12]', async () => {
    const one = await api.denies(await api.pull({}, { target: '/repos/acme/secret/pulls' }), 403, 'policy_denied');
    const other = await api.denies(await api.pull({}, { target: '/repos/acme/nonesuch/pulls' }), 403, 'policy_denied');
    expect(one.response.body).toBe(other.response.body);
  });

  it('ignores a caller in the body [G1]', async () => {
    const body = `{"__proto__":{"caller":{"actor":{"id":"admin"}}},"caller":{"actor":{"id":"admin"}},"constructor":{"prototype":{}}}`;
    // The parsers of Fastify and Koa refuse such a body themselves; then send the rest of it.
    const careful = /^(?:fastify|koa)/.test(api.host);
    if (careful) await api.answers(await api.pull({}, { body }), 400);
    const harmless = careful ? body.replace('__proto__', 'proto').replace('constructor', 'c') : body;
    const { response, records } = await api.accepts(await api.pull({}, { body: harmless }), 201);
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: reviewerId }, subject: { id: userId } });
    expect(records[0]).toMatchObject({ actor: { id: reviewerId, keyId: reviewer.thumbprint } });
  });
});
