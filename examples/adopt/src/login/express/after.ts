import { actingUser, agentAuth, permit } from '@countersign/express';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { expressjwt, type Request as SignedIn } from 'express-jwt';
import { listening, port } from '../../listening.js';
import { answerFor } from '../../orders.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';
import { guard } from '../guard.js';

const app = express();
app.use(agentAuth(guard));
app.use(express.json());

const people = expressjwt({ secret, algorithms: ['HS256'] });
const login: RequestHandler = (req: SignedIn, res, next) => {
  if (req.caller === undefined) return void people(req, res, next);
  const user = actingUser(req);
  if (user === undefined) return void res.sendStatus(403); // an agent that acts for nobody
  req.auth = { sub: user.id };
  next();
};
const userOf = (req: SignedIn): string => String(req.auth?.sub);

const shop = { type: 'Shop', id: 'main' };
app.get('/basket', permit('basket.read', shop), login, (req, res) => void res.json(basketOf(userOf(req))));
app.post('/basket', permit('basket.add', shop), login, (req, res) => {
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
