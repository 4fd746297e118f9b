import { actingUser, agentAuth, permit } from '@countersign/express';
import express, { type Request, type RequestHandler } from 'express';
import session from 'express-session';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret, signIn } from '../accounts.js';
import { guard } from '../guard.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
  }
}

const app = express();
app.use(agentAuth(guard));
const sessions = session({ secret, resave: false, saveUninitialized: false });
app.use((req, res, next) => (req.caller === undefined ? sessions(req, res, next) : next())); // an agent has no session
app.use(express.json());

const signedIn = (req: Request) => (req.caller === undefined ? req.session.user : actingUser(req)?.id);
const userOf = (req: Request): string => String(signedIn(req));
const login: RequestHandler = (req, res, next) => {
  if (signedIn(req) === undefined) return void res.sendStatus(req.caller === undefined ? 401 : 403);
  next();
};

app.post('/login', (req, res) => {
  const user = signIn(req.body);
  if (user === undefined) return void res.sendStatus(401);
  req.session.user = user;
  res.sendStatus(204);
});
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

const server = app.listen(port, () => listening(server));
