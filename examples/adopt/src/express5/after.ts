import { agentAuth, permit, type RouteRequest } from '@countersign/express';
import express, { type ErrorRequestHandler } from 'express';
import { guard } from '../guard.js';
import { listening, port } from '../listening.js';
import { addNote, answerFor, findOrder } from '../orders.js';

const app = express();
app.get('/health', (_req, res) => void res.send('well'));
app.use(agentAuth(guard));
app.use(express.json());

const order = (req: RouteRequest) => ({ type: 'Order', id: req.params.id });
app.get('/orders/:id', permit('order.read', order), (req, res) => {
  res.json(findOrder(req.params.id));
});
app.post('/orders/:id/notes', permit('order.annotate', order), (req, res) => {
  res.status(201).json(addNote(req.params.id, req.body));
});

const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  const { status, body } = answerFor(error);
  res.status(status).json(body);
};
app.use(onError);

const server = app.listen(port, () => listening(server));
