import type { RequestListener } from 'node:http';
import { agentAuth as onExpress, noteThrown, permit as expressPermit } from '@countersign/express';
import { agentAuth as onFastify, permit as fastifyPermit } from '@countersign/fastify';
import { agentAuth as onKoa, permit as koaPermit } from '@countersign/koa';
import { bodyParser } from '@koa/bodyparser';
import express, { type ErrorRequestHandler } from 'express';
import { fastify, type FastifyInstance } from 'fastify';
import Koa from 'koa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Guarded, guarded, outcomeOf, send, serve, signed } from '../support/guarded.js';
import { tampered } from '../support/signed-request.js';

const streamBody = () => true;
const json = (letter: string, length: number) => JSON.stringify({ letters: letter.repeat(length) });

/** The default error handler of Express would print the stack. */
const answerError: ErrorRequestHandler = (
  error: { readonly status?: number; readonly code?: string },
  _req,
  res,
  _next,
) => void res.status(error.status ?? 500).json({ code: error.code });

async function fastifyApp({ guard }: Guarded): Promise<FastifyInstance> {
  const app = fastify();
  await app.register(onFastify, { guard, streamBody });
  app.post('/', fastifyPermit(false), async ({ body }) => ({ body }));
  return app;
}

/** The same application on each framework: its own parser reads the body while it is being verified. */
const applications: Record<string, (parts: Guarded) => Promise<RequestListener>> = {
  async express({ guard }) {
    const app = express();
    app.use(onExpress(guard, { streamBody }), express.json());
    app.post('/', expressPermit(false), (req, res) => void res.json({ body: req.body }));
    app.use(noteThrown(), answerError);
    return app;
  },
  async fastify(parts) {
    const app = await fastifyApp(parts);
    await app.ready();
    onTestFinished(() => app.close());
    return app.routing;
  },
  async koa({ guard }) {
    const app = new Koa();
    app.silent = true;
    app.use(onKoa(guard, { streamBody }));
    app.use(bodyParser());
    app.use(koaPermit(false));
    app.use((ctx) => {
      ctx.body = { body: ctx.request.body };
    });
    const listener = app.callback();
    return (request, response) => void listener(request, response);
  },
};

describe.each(Object.entries(applications))(
  'A body that %s parses while it is being verified',
  (_name, application) => {
    it.each([10, 50_000])('is parsed when it is the signed one: %i letters', async (length) => {
      const parts = await guarded();
      await using server = await serve(await application(parts));
      const body = json('a', length);
      const response = await send(server.url, signed({ method: 'POST', body }));
      expect([response.status, JSON.parse(response.body)]).toEqual([200, { body: JSON.parse(body) as object }]);
      expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 200 });
    });

    it.each([10, 50_000])('reaches no handler when its %i letters are not the signed ones [A4]', async (length) => {
      const parts = await guarded();
      await using server = await serve(await application(parts));
      const request = signed({ method: 'POST', body: json('a', length) });
      const response = await send(server.url, tampered(request, { body: Buffer.from(json('b', length)) }));
      expect(response.status).toBe(401);
      expect(response.body).not.toContain('bbb');
      const [record] = parts.audit.records.filter(({ code, outcome }) => (code ?? outcome?.code) === 'digest_mismatch');
      expect(record).toBeDefined();
    });
  },
);

it.each([10, 50_000])(
  'is parsed or refused through inject(), which has no socket, with %i letters [A4]',
  async (length) => {
    const app = await fastifyApp(await guarded());
    const call = async (body: string) => {
      const { fields } = signed({ method: 'POST', body: json('a', length) });
      return await app.inject({ method: 'POST', url: '/', headers: Object.fromEntries(fields), payload: body });
    };
    expect((await call(json('a', length))).json()).toEqual({ body: JSON.parse(json('a', length)) as object });
    expect(await call(json('b', length))).toMatchObject({ statusCode: 401 });
    await app.close();
  },
);
