import { agentAuth, getCaller, permit } from '@countersign/koa';
import Koa from 'koa';
import session from 'koa-session';
import { Router } from '@koa/router';
import { expect, it } from 'vitest';
import { guarded, send, serve, signed, unsigned } from '../support/guarded.js';

it('by the guide, an agent has no session on Koa, whatever cookie comes with its request [G1]', async () => {
  const { guard } = await guarded({ traffic: 'mixed' });
  const app = new Koa();
  app.keys = ['a secret of thirty-two characters'];
  app.use(agentAuth(guard));
  const sessions = session(app);
  app.use((ctx, next) => {
    if (getCaller(ctx) === undefined) return sessions(ctx, next);
    Object.defineProperty(ctx, 'session', { value: undefined });
    return next();
  });
  const router = new Router();
  router.get('/', permit('thing.read', { type: 'Thing', id: '1' }), (ctx) => {
    if (getCaller(ctx) === undefined) ctx.session = { user: 'victim' };
    ctx.body = { session: ctx.session };
  });
  app.use(router.routes());
  await using served = await serve(app.callback());
  const person = await send(served.url, unsigned());
  expect(person.body).toContain('victim');
  const cookies = [person.headers['set-cookie'] ?? []].flat().map((cookie) => cookie.split(';', 1)[0] ?? '');
  const stray = signed({ fields: [['Cookie', cookies.join('; ')]] });
  expect(await send(served.url, stray)).toMatchObject({ status: 200, body: '{}' });
});
