import jwt from '@fastify/jwt';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';

const userOf = (request: FastifyRequest): string => (request.user as { sub: string }).sub;

async function shopping(app: FastifyInstance): Promise<void> {
  await app.register(jwt, { secret });
  app.addHook('onRequest', async (request) => {
    await request.jwtVerify();
  });
  app.get('/basket', async (request) => basketOf(userOf(request)));
  app.post('/basket', async (request, reply) => {
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
