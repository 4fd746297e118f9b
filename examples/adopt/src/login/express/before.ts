import express, { type ErrorRequestHandler } from 'express';
import { expressjwt, type Request as SignedIn } from 'express-jwt';
import { listening, port } from '../../listening.js';
import { answerFor } from '../../orders.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';

const app = express();
app.use(express.json());

const login = expressjwt({ secret, algorithms: ['HS256'] });
const userOf = (req: SignedIn): string => String(req.auth?.sub);

app.get('/basket', login, (req, res) => void res.json(basketOf(userOf(req))));
app.post('/basket', login, (req, res) => {
  res.status(201).json(addToBasket(userOf(req), req.body));
});
app.delete('/basket', login, (req, res) => {
  emptyBasket(userOf(req));
  res.sendStatus(204);
});
app.post('/renew', login, async (req, res) => void res.json({ token: await loginToken(userOf(req)) }));

const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  const { status, body } = answerFor(error);
  res.status(status).json(body);
};
app.use(onError);

const server = app.listen(port, () => listening(server));
