import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret, signIn } from '../accounts.js';

declare module 'fastify' {
  interface Session {
    user?: string;
  }
}

const userOf = (request: FastifyRequest): string => String(request.session.user);

async function shopping(app: FastifyInstance): Promise<void> {
  await app.register(cookie);
  await app.register(session, { secret, saveUninitialized: false, cookie: { secure: 'auto' } });
  app.post('/login', async (request, reply) => {
    const user = signIn(request.body);
    if (user === undefined) return reply.code(401).send();
    request.session.user = user;
    return reply.code(204).send();
  });
  await app.register(baskets);
}

async function baskets(app: FastifyInstance): Promise<void> {
  app.addHook('preHandler', async (request, reply) => {
    if (request.session.user === undefined) return reply.code(401).send();
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
