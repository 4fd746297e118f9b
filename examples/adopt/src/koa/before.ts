import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import Koa from 'koa';
import { listening, port } from '../listening.js';
import { addNote, answerFor, findOrder } from '../orders.js';

const app = new Koa();
app.use(async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    Object.assign(ctx, answerFor(error));
  }
});
const open = new Router();
open.get('/health', (ctx) => void (ctx.body = 'well'));
app.use(open.routes());
app.use(bodyParser());

const router = new Router();
router.get('/orders/:id', (ctx) => {
  ctx.body = findOrder(String(ctx.params['id']));
});
router.post('/orders/:id/notes', (ctx) => {
  ctx.body = addNote(String(ctx.params['id']), ctx.request.body);
  ctx.status = 201;
});
app.use(router.routes());

const server = app.listen(port, () => listening(server));
