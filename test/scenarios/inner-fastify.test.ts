import { agentAuth as forExpress } from '@countersign/express';
import { agentAuth as forFastify, permit, Permit } from '@countersign/fastify';
import { agentAuth as forNode } from '@countersign/node-http';
import express from 'express';
import { fastify } from 'fastify';
import type { RequestListener } from 'node:http';
import { expect, it, vi } from 'vitest';
import { type Guarded, guarded, send, serve, signed, unsigned } from '../support/guarded.js';

const thing = { type: 'Thing', id: '1' };

/** A host whose guard lets requests in before Fastify gets them. */
type Outer = (parts: Guarded, inner: RequestListener) => RequestListener;

const hosts: readonly (readonly [name: string, outer: Outer])[] = [
  [
    'Express',
    ({ guard }, inner) =>
      express()
        .use(forExpress(guard, { unmapped: 'authenticated' }))
        .use(inner),
  ],
  [
    'node:http',
    ({ guard }, inner) => {
      const auth = forNode(guard);
      return async (request, response) => {
        if (await auth(request, response)) inner(request, response);
      };
    },
  ],
];

async function fastifyWith(parts: Guarded, plugin: 'none' | 'in a child', ran: () => void): Promise<RequestListener> {
  const app = fastify();
  const handler = async (): Promise<string> => {
    ran();
    return 'done';
  };
  app.get('/constant', permit('forbidden', thing), handler);
  app.get(
    '/function',
    permit('forbidden', () => thing),
    handler,
  );
  app.get('/refuse', { config: { permit: 'refuse' }, preHandler: permit(false).preHandler }, handler);
  app.get('/allowed', permit('thing.read', thing), handler);
  app.get('/people', permit('thing.read', thing, { agentsOnly: true }), handler);
  if (plugin !== 'none')
    await app.register(async (child) => {
      await child.register(forFastify, { guard: parts.guard });
    });
  await app.ready();
  return app.routing;
}

it.each(
  hosts.flatMap(([name, outer]) => (['none', 'in a child'] as const).map((plugin) => [name, plugin, outer] as const)),
)(
  'permit() of Fastify below a guard of %s is asked where no plugin of Fastify reaches it (%s) [D8, G3]',
  async (_outer, plugin, outer) => {
    const parts = await guarded({ traffic: 'mixed' });
    const ran = vi.fn();
    await using server = await serve(outer(parts, await fastifyWith(parts, plugin, ran)));
    for (const target of ['/constant', '/function', '/refuse']) {
      expect([target, (await send(server.url, signed({ target }))).status]).toEqual([target, 403]);
    }
    expect((await send(server.url, unsigned({ target: '/people' }))).status).toBe(401);
    expect(ran).not.toHaveBeenCalled();
    expect((await send(server.url, signed({ target: '/allowed' }))).body).toBe('done');
    expect(parts.queries.map(({ action }) => action)).toEqual(['forbidden', 'forbidden', 'thing.read']);
  },
);

it.each(hosts)(
  '@Permit of Fastify below a guard of %s refuses also if an onSend hook fails [G7]',
  async (_name, outer) => {
    class Things {
      @Permit('forbidden', thing)
      async load(_request: object, _reply: object): Promise<string> {
        return 'ran';
      }
    }
    const app = fastify();
    app.addHook('onSend', async () => {
      throw new Error('the hook fails');
    });
    app.get('/', new Things().load);
    await app.ready();
    await using server = await serve(outer(await guarded(), app.routing));
    expect((await send(server.url, signed())).status).toBe(403);
  },
);
