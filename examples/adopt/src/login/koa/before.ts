import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import Koa from 'koa';
import jwt from 'koa-jwt';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';

const app = new Koa();
app.use(jwt({ secret }));
app.use(bodyParser());

const userOf = (ctx: Koa.Context): string => ctx.state['user'].sub;

const router = new Router();
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
