import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { guarded, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { agentAuth, permit } from '../src/index.js';

it("agentAuth logs all closed routes in one warning, without those with 'refuse', which stay closed [D8]", async () => {
  const troubles: string[] = [];
  const { guard } = await guarded({ traffic: 'mixed', onTrouble: (text) => void troubles.push(text) });
  const app = fastify({ exposeHeadRoutes: false });
  for (const name of ['a', 'b']) {
    await app.register(async (part) => {
      await part.register(agentAuth, { guard, ...(name === 'b' && { unmapped: 'authenticated' as const }) });
      part.get(`/${name}`, async () => name);
      part.get(`/${name}/login`, { config: { permit: 'refuse' } }, async () => 'login');
    });
  }
  await app.register(async (part) => {
    await part.register(agentAuth, { guard });
    part.get('/c', async () => 'c');
  });
  await app.ready();
  await using served = await serve(app.routing);
  expect(troubles).toEqual([
    expect.stringMatching(/asks? for no permission: agents are refused there: GET \/a, GET \/c$/),
  ]);
  for (const target of ['/a', '/a/login', '/b/login', '/c']) {
    expect(JSON.parse((await send(served.url, signed({ target }))).body)).toMatchObject({ code: 'route_unmapped' });
  }
  expect((await send(served.url, unsigned({ target: '/b/login' }))).body).toBe('login');
  expect((await send(served.url, signed({ target: '/b' }))).body).toBe('b');
  await app.close();
});

it('agentAuth names a route once, without the HEAD that Fastify adds', async () => {
  const troubles: string[] = [];
  const { guard } = await guarded({ onTrouble: (text) => void troubles.push(text) });
  const app = fastify();
  await app.register(agentAuth, { guard });
  app.get('/a', async () => 'a');
  await app.register(async (part) => void part.get('/', async () => 'c'), { prefix: '/c' });
  await app.ready();
  expect(troubles).toEqual([expect.stringMatching(/refused there: GET \/a, GET \/c(?:, GET \/c\/)?$/)]);
  await app.close();
});

it('a route beside an agentAuth that is not awaited is guarded, and a wrong permit shows at the first request', async () => {
  const { guard } = await guarded();
  const app = fastify();
  void app.register(agentAuth, { guard });
  const ran: string[] = [];
  app.get('/closed', async () => ran.push('closed'));
  app.get('/wrong', { config: { permit: 5 as never } }, async () => ran.push('wrong'));
  app.get('/open', permit('thing.read', { type: 'Thing', id: '1' }), async () => 'open');
  await app.ready();
  await using served = await serve(app.routing);
  expect(JSON.parse((await send(served.url, unsigned({ target: '/open' }))).body).code).toBe('signature_required');
  expect(JSON.parse((await send(served.url, signed({ target: '/closed' }))).body).code).toBe('route_unmapped');
  expect((await send(served.url, signed({ target: '/wrong' }))).status).toBe(500);
  expect((await send(served.url, signed({ target: '/open' }))).body).toBe('open');
  expect(ran).toEqual([]);
  await app.close();
});

it('a route stays closed when a hook replaces the request of Node by a proxy [D8, J4]', async () => {
  const { guard } = await guarded();
  const app = fastify();
  await app.register(agentAuth, { guard });
  app.addHook('onRequest', async (request) => {
    request.raw = new Proxy(request.raw, {});
  });
  const ran: string[] = [];
  app.get('/open', async () => ran.push('open'));
  app.get('/permit', permit('thing.read', { type: 'Thing', id: '1' }), async () => ran.push('permit'));
  await app.ready();
  await using served = await serve(app.routing);
  for (const [target, code] of Object.entries({ '/open': 'route_unmapped', '/permit': 'not_authenticated' })) {
    expect(JSON.parse((await send(served.url, signed({ target }))).body)).toMatchObject({ code });
  }
  expect(ran).toEqual([]);
  await app.close();
});
