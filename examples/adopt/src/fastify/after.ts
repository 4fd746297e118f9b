import { agentAuth, type PermitRequest, permit } from '@countersign/fastify';
import { type FastifyInstance, fastify } from 'fastify';
import { guard } from '../guard.js';
import { listening, port } from '../listening.js';
import { addNote, answerFor, findOrder } from '../orders.js';

type OfOrder = { Params: { id: string } };

async function health(app: FastifyInstance): Promise<void> {
  app.get('/health', async () => 'well');
}

const order = ({ params }: PermitRequest) => ({ type: 'Order', id: params['id'] });
async function orders(app: FastifyInstance): Promise<void> {
  await app.register(agentAuth, { guard });
  app.get<OfOrder>('/orders/:id', permit('order.read', order), async (request) => {
    return findOrder(request.params.id);
  });
  app.post<OfOrder>('/orders/:id/notes', permit('order.annotate', order), async (request, reply) => {
    return reply.code(201).send(addNote(request.params.id, request.body));
  });
}

const app = fastify();
app.setErrorHandler(async (error, _request, reply) => {
  const { status, body } = answerFor(error);
  return reply.code(status).send(body);
});
await app.register(health);
await app.register(orders);

await app.listen({ port });
listening(app.server);
