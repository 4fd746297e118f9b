import express, { type ErrorRequestHandler } from 'express';
import { listening, port } from '../listening.js';
import { addNote, answerFor, findOrder } from '../orders.js';

const app = express();
app.get('/health', (_req, res) => void res.send('well'));
app.use(express.json());

app.get('/orders/:id', (req, res) => {
  res.json(findOrder(req.params.id));
});
app.post('/orders/:id/notes', (req, res) => {
  res.status(201).json(addNote(req.params.id, req.body));
});

const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  const { status, body } = answerFor(error);
  res.status(status).json(body);
};
app.use(onError);

const server = app.listen(port, () => listening(server));
