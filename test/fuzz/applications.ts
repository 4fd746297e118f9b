import type { RequestListener, ServerResponse } from 'node:http';
import type { Guard, Resource } from '@countersign/core';
import * as onExpress from '@countersign/express';
import * as onFastify from '@countersign/fastify';
import * as onKoa from '@countersign/koa';
import * as onNodeHttp from '@countersign/node-http';
import { bodyParser } from '@koa/bodyparser';
import express5, { type ErrorRequestHandler, type Request, type Response } from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import Koa3 from 'koa';
import Koa2 from 'koa2';
import { isParsed, seen, type Seen } from './echo.js';

/** Creates an application with one handler for every path, which answers with the request as seen. `ran` counts runs. */
type MakeApplication = (guard: Guard, ran: () => void) => RequestListener | Promise<RequestListener>;

const thing: Resource = { type: 'Thing', id: 'it' };

export const applications: Readonly<Record<string, MakeApplication>> = {
  'node-http': overNodeHttp,
  express4: (guard, ran) => overExpress(express4 as unknown as typeof express5, guard, ran),
  express5: (guard, ran) => overExpress(express5, guard, ran),
  fastify5: overFastify,
  koa2: (guard, ran) => overKoa(Koa2, guard, ran),
  koa3: (guard, ran) => overKoa(Koa3, guard, ran),
};

function overNodeHttp(guard: Guard, ran: () => void): RequestListener {
  const auth = onNodeHttp.agentAuth(guard);
  const mayUse = onNodeHttp.permit('use', thing);
  return async (request, response) => {
    if (!(await auth(request, response)) || !(await mayUse(request, response))) return;
    ran();
    // Without a framework there is no parser: the handler reads every body itself.
    answer(response, await seen({ request, target: request.url ?? '', caller: onNodeHttp.getCaller(request) }));
  };
}

function overExpress(express: typeof express5, guard: Guard, ran: () => void): RequestListener {
  const app = express();
  const parse = express.json();
  app.use(onExpress.agentAuth(guard));
  app.use((request, response, next) => (isParsed(request.originalUrl) ? parse(request, response, next) : next()));
  const handler = async (request: Request, response: Response) => {
    ran();
    const parsed = isParsed(request.originalUrl) ? { parsed: (request.body as unknown) ?? null } : {};
    answer(
      response,
      await seen({ request, target: request.originalUrl, caller: onExpress.getCaller(request), ...parsed }),
    );
  };
  app.all(/.*/, onExpress.permit('use', thing), (request, response, next) => {
    // Express 4 ignores promises.
    handler(request, response).catch(next);
  });
  app.use(answerError);
  return app;
}

async function overFastify(guard: Guard, ran: () => void): Promise<RequestListener> {
  const app = fastify();
  app.setErrorHandler((error, _request, reply) => reply.code(statusOf(error)).send({}));
  await app.register(onFastify.agentAuth, { guard });
  const routes = (prefix: string, parses: boolean) =>
    app.register(async (api) => {
      if (!parses) api.removeAllContentTypeParsers();
      api.addContentTypeParser('*', (_request, _payload, done: (error: null) => void) => done(null));
      api.all(`${prefix}*`, onFastify.permit('use', thing), async (request) => {
        ran();
        const parsed = parses ? { parsed: request.body ?? null } : {};
        return await seen({
          request: request.raw,
          target: request.url,
          caller: onFastify.getCaller(request),
          ...parsed,
        });
      });
    });
  await routes('/json/', true);
  await routes('/', false);
  await app.ready();
  return app.routing;
}

function overKoa(Koa: typeof Koa3, guard: Guard, ran: () => void): RequestListener {
  const app = new Koa<onKoa.AgentState>();
  app.silent = true;
  const parse = bodyParser();
  app.use(onKoa.agentAuth(guard));
  app.use(async (ctx, next) => await (isParsed(ctx.originalUrl) ? parse(ctx, next) : next()));
  app.use(onKoa.permit('use', thing));
  app.use(async (ctx) => {
    ran();
    const parsed = isParsed(ctx.originalUrl) ? { parsed: ctx.request.body ?? null } : {};
    ctx.body = await seen({ request: ctx.req, target: ctx.originalUrl, caller: onKoa.getCaller(ctx), ...parsed });
  });
  const listener = app.callback();
  return (request, response) => void listener(request, response);
}

/** The handler of Express would print the stack. */
const answerError: ErrorRequestHandler = (error: unknown, _request, response, _next) =>
  answer(response, {}, statusOf(error));

function statusOf(error: unknown): number {
  const { status, statusCode = status } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  return typeof statusCode === 'number' ? statusCode : 500;
}

function answer(response: ServerResponse, body: Seen | object, status = 200): void {
  if (response.headersSent) return;
  const json = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) });
  response.end(json);
}
