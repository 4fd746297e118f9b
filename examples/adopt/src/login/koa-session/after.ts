import { actingUser, agentAuth, getCaller, permit } from '@countersign/koa';
import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import Koa from 'koa';
import session from 'koa-session';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret, signIn } from '../accounts.js';
import { guard } from '../guard.js';

const app = new Koa();
app.keys = [secret];
app.use(agentAuth(guard));
const sessions = session(app);
app.use((ctx, next) => {
  if (getCaller(ctx) === undefined) return sessions(ctx, next);
  // An agent has no session. Without this line, koa-session would open that of a cookie when it is read.
  Object.defineProperty(ctx, 'session', { value: undefined });
  return next();
});
app.use(bodyParser());

const userOf = (ctx: Koa.Context): string => {
  if (getCaller(ctx) === undefined) return ctx.session?.['user'] ?? ctx.throw(401);
  return actingUser(ctx)?.id ?? ctx.throw(403); // an agent that acts for nobody
};

const router = new Router();
router.post('/login', (ctx) => {
  const user = signIn(ctx.request.body) ?? ctx.throw(401);
  ctx.session = { user };
  ctx.status = 204;
});
const shop = { type: 'Shop', id: 'main' };
router.get('/basket', permit('basket.read', shop), (ctx) => {
  ctx.body = basketOf(userOf(ctx));
});
router.post('/basket', permit('basket.add', shop), (ctx) => {
  ctx.body = addToBasket(userOf(ctx), ctx.request.body);
  ctx.status = 201;
});
router.delete('/basket', (ctx) => {
  emptyBasket(userOf(ctx));
  ctx.status = 204;
});
router.post('/renew', async (ctx) => {
  ctx.body = { token: await loginToken(userOf(ctx)) };
});
app.use(router.routes());

const server = app.listen(port, () => listening(server));
