import { actingUser, agentAuth, permit } from '@countersign/fastify';
import jwt from '@fastify/jwt';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';
import { guard } from '../guard.js';

const userOf = (request: FastifyRequest): string => (request.user as { sub: string }).sub;

const shop = { type: 'Shop', id: 'main' };
async function shopping(app: FastifyInstance): Promise<void> {
  await app.register(agentAuth, { guard });
  await app.register(jwt, { secret });
  app.addHook('onRequest', async (request) => {
    if (request.caller === undefined) await request.jwtVerify();
  });
  app.addHook('preHandler', async (request, reply) => {
    if (request.caller === undefined) return;
    const user = actingUser(request);
    if (user === undefined) return reply.code(403).send(); // an agent that acts for nobody
    request.user = { sub: user.id };
  });
  app.get('/basket', permit('basket.read', shop), async (request) => basketOf(userOf(request)));
  app.post('/basket', permit('basket.add', shop), async (request, reply) => {
    return reply.code(201).send(addToBasket(userOf(request), request.body));
  });
  app.delete('/basket', async (request, reply) => {
    emptyBasket(userOf(request));
    return reply.code(204).send();
  });
  app.post('/renew', async (request) => ({ token: await loginToken(userOf(request)) }));
}

const app = fastify();
await app.register(shopping);

await app.listen({ port });
listening(app.server);
