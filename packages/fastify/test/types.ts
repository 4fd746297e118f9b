// Compiled with the tests and never run: it asserts types.
import type { Caller, Guard } from '@countersign/core';
import { fastify, type FastifyRequest } from 'fastify';
import { agentAuth, getCaller, Permit, permit, type RoutePermit } from '../src/index.js';

declare const guard: Guard;

const app = fastify();
app.register(agentAuth, { guard });
await app.register(agentAuth, { guard, onRefusal: 'throw', unmapped: 'authenticated', everyRequest: true });

// The handler has the types of the route's parameters; to the resource they are strings.
app.post<{ Params: { owner: string }; Body: { title: string } }>(
  '/repos/:owner/pulls',
  permit('pr.create', ({ params }) => ({ type: 'Repo', id: `${params['owner']}/api` })),
  async (request, reply) => {
    const { owner } = request.params;
    const { title } = request.body;
    return reply.code(201).send({ owner, title, by: request.caller?.actor.id });
  },
);
// A resource may declare the types of its parameters and body.
const ofRoute = ({ params, body }: FastifyRequest<{ Params: { id: number }; Body: { of: string } }>) => ({
  type: 'Thing',
  id: `${body.of}/${params.id}`,
});
const schema = { params: { type: 'object' } };
app.put<{ Params: { id: number } }>('/:id', { ...permit('write', ofRoute), schema }, async ({ params }) => params.id);
app.get(
  '/:name',
  { config: { permit: { action: 'read', resource: ({ params }) => ({ type: 'Thing', id: `${params['name']}` }) } } },
  async () => 'x',
);
app.get('/open', { config: { permit: false } }, async () => 'x');

app.get('/caller', { config: { permit: false } }, async (request) => {
  const caller: Caller | undefined = getCaller(request);
  // @ts-expect-error there may be no caller
  const { actor } = request.caller;
  // @ts-expect-error only the guard sets the caller
  request.caller = caller;
  // @ts-expect-error a caller is readonly
  if (request.caller) request.caller.actor.id = 'admin';
  return [actor, request.caller];
});

const overHttp2 = fastify({ http2: true, https: {} });
await overHttp2.register(agentAuth, { guard });
overHttp2.get('/', permit('read', { type: 'Thing', id: '1' }), async (request) => getCaller(request)?.actor.id);

export class Things {
  @Permit('read', ({ params }) => ({ type: 'Thing', id: `${params['id']}` }))
  async read(request: FastifyRequest): Promise<string> {
    return request.url;
  }

  // @ts-expect-error only methods have a permit
  @Permit('read', { type: 'Thing', id: '1' })
  readonly field: number = 1;
}

// @ts-expect-error a guard is needed
await app.register(agentAuth, {});
// @ts-expect-error there are two ways to treat such routes
await app.register(agentAuth, { guard, unmapped: 'allow' });
// @ts-expect-error a permit has a resource
app.get('/2', { config: { permit: { action: 'read' } } }, async () => 'x');
// @ts-expect-error true is not a permit
app.get('/3', { config: { permit: true } }, async () => 'x');
// @ts-expect-error a resource has an id
permit('read', { type: 'Thing' });
// @ts-expect-error no such option
export const wrong: RoutePermit = { action: 'read', resource: { type: 'Thing', id: '1' }, require: 'x' };
