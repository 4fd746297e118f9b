import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { agentAuth, getCaller, permit } from '@countersign/fastify';
import type { Server } from 'node:http';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Host, HostParts } from './host.js';
import { billing, bucket, failure, pullCreated, received, recordOf, repoOf, whoami } from './routes.js';

const fastify5: Host = {
  name: 'fastify5',
  http2: true,
  logs: true,
  async listener(parts) {
    const app = parts.http2 ? overHttp2() : overHttp1(parts.logger);
    app.setErrorHandler((error, _request, reply) => {
      const { status, body } = failure(error);
      return reply.code(status).send(body);
    });
    await app.register(
      async (api) => {
        api.get('/public', async () => ({ public: true }));
        await api.register(guardedRoutes, parts);
      },
      { prefix: parts.mount },
    );
    await app.ready();
    return app.routing;
  },
};

export const hosts: readonly Host[] = [fastify5];

/** Silent, so that the warning of the unmapped route is not among the troubles that a scenario expects. */
const logger = { level: 'silent' } as const;

function overHttp1(given: HostParts['logger']): FastifyInstance {
  return given === undefined ? fastify({ logger }) : fastify<Server>({ loggerInstance: given });
}

/** Its routes do not differ, although its types do. */
function overHttp2(): FastifyInstance {
  return fastify({ http2: true, logger }) as unknown as FastifyInstance;
}

async function guardedRoutes(api: FastifyInstance, parts: HostParts): Promise<void> {
  const { guard, admission, bodyParser, handled } = parts;
  await api.register(agentAuth, { guard, ...admission });
  // Requests without a route also pass the guard.
  api.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }));
  await api.register(async (streaming) => {
    readNothing(streaming);
    streaming.put('/upload', permit('file.put', bucket), async (request) => {
      await handled('file.put');
      return await received(request.raw);
    });
  });
  if (bodyParser === 'after') {
    api.addHook('preParsing', async (request, _reply, payload) => inflated(request, payload));
    // Like other parsers, leaves a body of an unknown type unread.
    api.addContentTypeParser('*', leave);
  } else readNothing(api);

  api.get('/whoami', permit(false), async (request) => {
    await handled('whoami', getCaller(request));
    return whoami(getCaller(request));
  });
  api.post(
    '/repos/:owner/:repo/pulls',
    permit('pr.create', (request: FastifyRequest<{ Params: { owner: string; repo: string } }>) => repoOf(request)),
    async (request, reply) => {
      await handled('pr.create', getCaller(request));
      return reply.code(201).send(pullCreated(getCaller(request), request.body));
    },
  );
  api.post(
    '/repos/:owner/:repo/merge',
    permit('pr.merge', (request: FastifyRequest<{ Params: { owner: string; repo: string } }>) => repoOf(request)),
    async () => {
      await handled('pr.merge');
      return { merged: true };
    },
  );
  api.get('/invoices', permit('invoice.read', billing), async (request) => {
    await handled('invoice.read');
    return { query: request.query };
  });
  api.delete(
    '/records/:id',
    permit('record.delete', (request: FastifyRequest<{ Params: { id: string } }>) => recordOf(request)),
    async (_request, reply) => {
      await handled('record.delete');
      return reply.code(204).send();
    },
  );
  api.delete('/forgotten', async (_request, reply) => {
    await handled('forgotten');
    return reply.code(204).send();
  });
}

/** Fastify parses JSON by itself unless a parser for every type leaves the body unread. */
function readNothing(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', leave);
}

export function leave(_request: FastifyRequest, _payload: unknown, done: (error: null) => void): void {
  done(null);
}

/** Fastify does not inflate by itself; the parser compares the length on the wire with Content-Length. */
export function inflated({ headers }: FastifyRequest, payload: Readable): Readable {
  if (headers['content-encoding'] !== 'gzip') return payload;
  return Object.assign(payload.pipe(createGunzip()), { receivedEncodedLength: Number(headers['content-length']) });
}
