import { agentAuth, permit, type RouteContext } from '@countersign/koa';
import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import Koa from 'koa';
import { guard } from '../guard.js';
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
app.use(agentAuth(guard));
app.use(bodyParser());

const router = new Router();
const order = ({ params }: RouteContext) => ({ type: 'Order', id: params['id'] });
router.get('/orders/:id', permit('order.read', order), (ctx) => {
  ctx.body = findOrder(String(ctx.params['id']));
});
router.post('/orders/:id/notes', permit('order.annotate', order), (ctx) => {
  ctx.body = addNote(String(ctx.params['id']), ctx.request.body);
  ctx.status = 201;
});
app.use(router.routes());

const server = app.listen(port, () => listening(server));
