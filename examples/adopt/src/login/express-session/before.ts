import express, { type Request, type RequestHandler } from 'express';
import session from 'express-session';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret, signIn } from '../accounts.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
  }
}

const app = express();
app.use(session({ secret, resave: false, saveUninitialized: false }));
app.use(express.json());

const userOf = (req: Request): string => String(req.session.user);
const login: RequestHandler = (req, res, next) => {
  if (req.session.user === undefined) return void res.sendStatus(401);
  next();
};

app.post('/login', (req, res) => {
  const user = signIn(req.body);
  if (user === undefined) return void res.sendStatus(401);
  req.session.user = user;
  res.sendStatus(204);
});
app.get('/basket', login, (req, res) => void res.json(basketOf(userOf(req))));
app.post('/basket', login, (req, res) => {
  res.status(201).json(addToBasket(userOf(req), req.body));
});
app.delete('/basket', login, (req, res) => {
  emptyBasket(userOf(req));
  res.sendStatus(204);
});
app.post('/renew', login, async (req, res) => void res.json({ token: await loginToken(userOf(req)) }));

const server = app.listen(port, () => listening(server));
