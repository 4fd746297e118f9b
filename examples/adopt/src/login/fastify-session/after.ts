import { actingUser, agentAuth, permit } from '@countersign/fastify';
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret, signIn } from '../accounts.js';
import { guard } from '../guard.js';

declare module 'fastify' {
  interface Session {
    user?: string;
  }
}

const signedIn = (request: FastifyRequest) =>
  request.caller === undefined ? request.session.user : actingUser(request)?.id;
const userOf = (request: FastifyRequest): string => String(signedIn(request));

const shop = { type: 'Shop', id: 'main' };
async function shopping(app: FastifyInstance): Promise<void> {
  await app.register(agentAuth, { guard });
  app.addHook('onRequest', async (request) => {
    if (request.caller !== undefined) delete request.raw.headers.cookie; // an agent has no session
  });
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
    if (signedIn(request) === undefined) return reply.code(request.caller === undefined ? 401 : 403).send();
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
