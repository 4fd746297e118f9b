import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import request from 'supertest';
import { agentAuth, permit } from '@countersign/fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestApp, type TestDelegate, type TestKit, testKit } from '../src/index.js';
import '../src/vitest.js';
import { apps, policy } from './apps.js';

let t: TestKit;
let alice: TestDelegate;
beforeAll(async () => {
  t = await testKit({ policy: await policy() });
  alice = t.agent('bot', { capabilities: ['pr:read', 'pr:write:draft'] }).onBehalfOf('alice');
});
afterAll(() => t.close());

describe.each(Object.keys(apps))('fetch with %s', (name) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await apps[name]!(t.guard);
  });

  it('sends JSON, text, bytes and a query', async () => {
    const json = { 'content-type': 'application/json' };
    for (const body of [{ title: 'ü' }, '{"title":"ü"}', Buffer.from('{"title":"ü"}')]) {
      const response = await alice.fetch(app, '/prs?a=%C3%BC', { method: 'post', headers: json, body });
      expect(await response.json()).toEqual({ for: 'alice', title: 'ü' });
      expect(response.status).toBe(201);
    }
  });

  it('gives an empty body for 204 to a request that people approved', async () => {
    await alice.fetch(app, '/merge', { method: 'POST', body: { of: name } });
    t.approvals.approve('carol');
    const response = await alice.fetch(app, '/merge', { method: 'POST', body: { of: name } });
    expect([response.status, await response.text()]).toEqual([204, '']);
  });
});

describe('fetch', () => {
  it('reaches a server that listens, by its URL', async () => {
    const server = createServer((await apps['express']!(t.guard)) as never).listen(0, '127.0.0.1');
    await new Promise((listening) => server.once('listening', listening));
    const { port } = server.address() as AddressInfo;
    expect((await alice.fetch(`http://127.0.0.1:${port}`, '/prs')).status).toBe(200);
    expect((await alice.fetch(server, '/prs')).status).toBe(200);
    expect((await alice.fetch({ getHttpServer: () => server }, '/prs')).status).toBe(200);
    server.close();
  });

  it('refuses what is no application', async () => {
    await expect(alice.fetch({} as TestApp, '/prs')).rejects.toThrow('this is no application');
  });
});

describe('supertest', () => {
  it('sends signed requests, with query, JSON and forms', async () => {
    const app = (await apps['express']!(t.guard)) as never;
    await alice.supertest(request(app).get('/prs')).expect(200, { by: 'bot' });
    const sent = request(app).post('/prs').query({ a: 'ü b' }).send({ title: 'Fix' });
    expect((await alice.supertest(sent).expect(201)).body).toEqual({ for: 'alice', title: 'Fix' });
    await alice.supertest(request(app).post('/prs').type('form').send({ title: 'a b' })).expect(201);
    const denied = await t.agent('idle').supertest(request(app).post('/prs').send({}));
    expect(denied).toBeRefusedWith('policy_denied');
    expect(await t.unsigned.supertest(request(app).get('/prs'))).toBeRefusedWith('signature_required');
  });

  it('refuses what it cannot sign', async () => {
    const app = (await apps['express']!(t.guard)) as never;
    const form = request(app).post('/prs').attach('file', Buffer.from('x'), 'x.txt');
    expect(() => alice.supertest(form)).toThrow('a form with files');
    form.abort();
    expect(() => alice.supertest({})).toThrow('no request of supertest');
  });
});

describe('inject', () => {
  let app: FastifyInstance;
  beforeAll(async () => {
    app = (await apps['fastify']!(t.guard)) as FastifyInstance;
  });

  it('signs a request of Fastify', async () => {
    const signed = await alice.inject({ method: 'POST', url: '/prs?a=1', payload: { title: 'Fix' } });
    const response = await app.inject(signed);
    expect([response.statusCode, response.json()]).toEqual([201, { for: 'alice', title: 'Fix' }]);
    expect(await app.inject(await t.unsigned.inject({ url: '/prs' }))).toBeRefusedWith('signature_required');
  });
});

it('sign gives the fields for any other client', async () => {
  const app = fastify();
  await app.register(agentAuth, { guard: t.guard });
  app.get('/prs', permit('pr.list', { type: 'Repo', id: 'acme/api' }), () => 'ok');
  const headers = await alice.sign('/prs');
  expect(Object.keys(headers)).toEqual(expect.arrayContaining(['host', 'signature', 'signature-input']));
  expect((await app.inject({ url: '/prs', headers })).body).toBe('ok');
});
