import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import Koa from 'koa';
import session from 'koa-session';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret, signIn } from '../accounts.js';

const app = new Koa();
app.keys = [secret];
app.use(session(app));
app.use(bodyParser());

const userOf = (ctx: Koa.Context): string => ctx.session?.['user'] ?? ctx.throw(401);

const router = new Router();
router.post('/login', (ctx) => {
  const user = signIn(ctx.request.body) ?? ctx.throw(401);
  ctx.session = { user };
  ctx.status = 204;
});
router.get('/basket', (ctx) => {
  ctx.body = basketOf(userOf(ctx));
});
router.post('/basket', (ctx) => {
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
