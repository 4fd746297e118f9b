import { agentAuth as forExpress, permit as expressPermit, Permit as ExpressPermit } from '@countersign/express';
import { agentAuth as forFastify, permit as fastifyPermit, Permit as FastifyPermit } from '@countersign/fastify';
import { agentAuth as forKoa, permit as koaPermit, Permit as KoaPermit } from '@countersign/koa';
import { agentAuth as forNode, permit as nodePermit, Permit as NodePermit } from '@countersign/node-http';
import { Router } from '@koa/router';
import express5 from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import Koa from 'koa';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Guarded, guarded, send, serve, signed, unsigned } from '../support/guarded.js';
import { sendHttp2, serveHttp2 } from '../support/http2.js';

const uncaught = vi.fn();
beforeEach(() => void process.on('unhandledRejection', uncaught).on('uncaughtException', uncaught));
afterEach(() => {
  process.off('unhandledRejection', uncaught).off('uncaughtException', uncaught);
  const { calls } = uncaught.mock;
  uncaught.mockClear();
  expect(calls).toEqual([]);
});

const thing = { type: 'Thing', id: '1' };

/** What a handler still sends that does not see that its request was refused. */
const late: readonly (readonly [name: string, sendLate: (response: ServerResponse) => unknown])[] = [
  ['ends it with text', (response) => response.end('LATE')],
  [
    'writes and ends it',
    (response) => {
      response.write('LATE');
      response.end();
    },
  ],
  [
    'writes to it later',
    async (response) => {
      while (!response.writableFinished) await setImmediate();
      response.write('LATE');
      response.end('LATE');
    },
  ],
];

type Late = (response: ServerResponse) => unknown;
type Application = (parts: Guarded, sendLate: Late) => Promise<RequestListener>;

const expressHandler =
  (express: typeof express5): Application =>
  async ({ guard }, sendLate) => {
    class Things {
      @ExpressPermit('forbidden', thing)
      async load(_request: object, _response: object): Promise<void> {}
    }
    const app = express().use(forExpress(guard));
    app.get('/', expressPermit(false), async (request, response) => {
      await new Things().load(request, response);
      await sendLate(response);
    });
    return app as RequestListener;
  };

/** Handlers that go on after a method with `@Permit` that was refused. */
const handlers: readonly (readonly [host: string, application: Application])[] = [
  ['express4', expressHandler(express4 as unknown as typeof express5)],
  ['express5', expressHandler(express5)],
  [
    'koa with ctx.respond = false',
    async ({ guard }, sendLate) => {
      class Things {
        @KoaPermit('forbidden', thing)
        async load(_ctx: Koa.Context): Promise<void> {}
      }
      const router = new Router().get('/', koaPermit(false), async (ctx) => {
        ctx.respond = false;
        await new Things().load(ctx);
        await sendLate(ctx.res);
      });
      return new Koa().use(forKoa(guard)).use(router.routes()).callback();
    },
  ],
  [
    'node-http',
    async ({ guard }, sendLate) => {
      class Things {
        @NodePermit('forbidden', thing)
        async load(_request: IncomingMessage, _response: ServerResponse): Promise<void> {}
      }
      const auth = forNode(guard);
      return async (request, response) => {
        if (!(await auth(request, response))) return;
        await new Things().load(request, response);
        await sendLate(response);
      };
    },
  ],
  [
    'fastify with reply.raw',
    async ({ guard }, sendLate) => {
      class Things {
        @FastifyPermit('forbidden', thing)
        async load(_request: object, _reply: object): Promise<void> {}
      }
      const app = fastify();
      await app.register(forFastify, { guard });
      app.get('/', { config: { permit: false } }, async (request, reply) => {
        await new Things().load(request, reply);
        await sendLate(reply.raw);
        return reply;
      });
      await app.ready();
      return app.routing;
    },
  ],
];

/** Koa with a responder of its own, which sends what the middleware below it put on the context. */
const koaResponder: Application = async ({ guard }, sendLate) => {
  const app = new Koa();
  app.use(async (ctx, next) => {
    ctx.respond = false;
    await next();
    await sendLate(ctx.res);
  });
  return app.use(forKoa(guard)).use(koaPermit('forbidden', thing)).callback();
};

const refusals = [
  ...handlers.map(([host, application]) => [`a refused method of ${host}`, application, signed, 403] as const),
  ['a refused permit below a responder of Koa', koaResponder, signed, 403] as const,
  ['a stranger below a responder of Koa', koaResponder, unsigned, 401] as const,
];

describe.each(refusals)('The handler around %s', (_name, application, request, status) => {
  it.each(late)('%s: the client has the refusal alone, and the process goes on [G8]', async (_late, sendLate) => {
    await using server = await serve(await application(await guarded(), sendLate));
    const answer = await send(server.url, request());
    expect([answer.status, JSON.parse(answer.body)]).toEqual([status, expect.objectContaining({ status })]);
    await setImmediate();
    expect((await send(server.url, request())).status).toBe(status);
  });
});

// Express is for HTTP/1.
describe.each(refusals.filter(([name]) => !name.includes('express')))(
  'The handler around %s',
  (_name, application, request, status) => {
    it.each(late)('%s: the client has the refusal alone over HTTP/2 too [G8]', async (_late, sendLate) => {
      const listener = (await application(await guarded(), sendLate)) as unknown;
      await using server = await serveHttp2(listener as (one: Http2ServerRequest, other: Http2ServerResponse) => void);
      const answer = await sendHttp2(server.url, request());
      expect([answer.status, JSON.parse(answer.body)]).toEqual([status, expect.objectContaining({ status })]);
    });
  },
);

/** Passes answers on a moment later, as middleware does that saves a session or compresses. */
function passesLater(_request: unknown, response: ServerResponse, next: () => void): void {
  for (const name of ['write', 'end'] as const) {
    const own = response[name].bind(response) as (...args: unknown[]) => boolean;
    Object.assign(response, {
      [name]: (...args: unknown[]) => {
        globalThis.setImmediate(() => own(...args));
        return name === 'write' ? true : response;
      },
    });
  }
  next();
}

const behindMiddleware: readonly (readonly [host: string, application: Application])[] = [
  [
    'express5',
    async ({ guard }, sendLate) => {
      const app = express5().use(passesLater, forExpress(guard), passesLater);
      class Things {
        @ExpressPermit('forbidden', thing)
        async load(_request: object, _response: object): Promise<void> {}
      }
      app.get('/', expressPermit(false), async (request, response) => {
        await new Things().load(request, response);
        await sendLate(response);
      });
      return app as RequestListener;
    },
  ],
  [
    'node-http',
    async ({ guard }, sendLate) => {
      const [auth, permit] = [forNode(guard), nodePermit('forbidden', thing)];
      return (request, response) =>
        void auth(request, response, () =>
          passesLater(request, response, () => void permit(request, response).then(() => sendLate(response))),
        );
    },
  ],
  [
    'fastify',
    async ({ guard }, sendLate) => {
      const app = fastify();
      await app.register(forFastify, { guard });
      app.addHook('onRequest', (request, reply, done) => passesLater(request, reply.raw, done));
      app.get('/', fastifyPermit('forbidden', thing), async (_request, reply) => void (await sendLate(reply.raw)));
      await app.ready();
      return app.routing;
    },
  ],
];

describe.each(behindMiddleware)('A refusal of %s behind middleware that ends answers later', (_host, application) => {
  it.each([
    ['an agent', signed, 403],
    ['a stranger', unsigned, 401],
  ] as const)('reaches %s, and nothing after it does [G8]', async (_who, request, status) => {
    await using server = await serve(await application(await guarded(), (response) => response.end('LATE')));
    for (let times = 0; times < 2; times += 1) {
      const answer = await send(server.url, request());
      expect([answer.status, JSON.parse(answer.body)]).toEqual([status, expect.objectContaining({ status })]);
    }
  });
});
