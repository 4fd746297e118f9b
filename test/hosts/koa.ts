import { agentAuth, type AgentState, getCaller, permit } from '@countersign/koa';
import { bodyParser as parseBody } from '@koa/bodyparser';
import { Router } from '@koa/router';
import Koa3 from 'koa';
import mounted from 'koa-mount';
import Koa2 from 'koa2';
import type { Host, HostParts } from './host.js';
import { billing, bucket, pullCreated, received, recordOf, repoOf, whoami } from './routes.js';

export const hosts: readonly Host[] = [hostOf('koa2', Koa2), hostOf('koa3', Koa3)];

function hostOf(name: string, Koa: typeof Koa3): Host {
  return {
    name,
    http2: true,
    listener(parts) {
      const open = new Router();
      open.get('/public', (ctx) => {
        ctx.body = { public: true };
      });
      const api = new Koa<AgentState>();
      api.use(open.routes());
      api.use(agentAuth(parts.guard, parts.admission));
      api.use(guardedRoutes(parts).routes());

      const app = new Koa();
      // Koa prints errors unless it is silent.
      app.silent = true;
      app.use(mounted(parts.mount === '' ? '/' : parts.mount, api));
      const listener = app.callback();
      return (request, response) => void listener(request, response);
    },
  };
}

function guardedRoutes({ bodyParser, handled }: HostParts): Router<AgentState> {
  const router = new Router<AgentState>();
  router.get('/whoami', permit(false), async (ctx) => {
    await handled('whoami', getCaller(ctx));
    ctx.body = whoami(getCaller(ctx));
  });
  // Before the parser: the body is read as a stream.
  router.put('/upload', permit('file.put', bucket), async (ctx) => {
    await handled('file.put');
    ctx.body = await received(ctx.req);
  });
  if (bodyParser === 'after') router.use(parseBody());

  router.post(
    '/repos/:owner/:repo/pulls',
    permit('pr.create', (ctx: Params<'owner' | 'repo'>) => repoOf(ctx)),
    async (ctx) => {
      await handled('pr.create', getCaller(ctx));
      ctx.status = 201;
      ctx.body = pullCreated(getCaller(ctx), ctx.request.body);
    },
  );
  router.post(
    '/repos/:owner/:repo/merge',
    permit('pr.merge', (ctx: Params<'owner' | 'repo'>) => repoOf(ctx)),
    async (ctx) => {
      await handled('pr.merge');
      ctx.body = { merged: true };
    },
  );
  router.get('/invoices', permit('invoice.read', billing), async (ctx) => {
    await handled('invoice.read');
    ctx.body = { query: ctx.query };
  });
  router.delete(
    '/records/:id',
    permit('record.delete', (ctx: Params<'id'>) => recordOf(ctx)),
    async (ctx) => {
      await handled('record.delete');
      ctx.status = 204;
    },
  );
  router.delete('/forgotten', async (ctx) => {
    await handled('forgotten');
    ctx.status = 204;
  });
  return router;
}

interface Params<Names extends string> {
  readonly params: Readonly<Record<Names, string>>;
}
