import { actingUser, agentAuth, permit } from '@countersign/express';
import express, { type Request, type RequestHandler } from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';
import { guard } from '../guard.js';

declare global {
  namespace Express {
    interface User {
      readonly id: string;
    }
  }
}

const fromHeader = ExtractJwt.fromAuthHeaderAsBearerToken();
passport.use(
  new Strategy({ jwtFromRequest: fromHeader, secretOrKey: secret, algorithms: ['HS256'] }, ({ sub }, done) => {
    done(null, { id: String(sub) });
  }),
);

const app = express();
app.use(agentAuth(guard));
app.use(express.json());

const people = passport.authenticate('jwt', { session: false }) as RequestHandler;
const login: RequestHandler = (req, res, next) => {
  if (req.caller === undefined) return void people(req, res, next);
  const user = actingUser(req);
  if (user === undefined) return void res.sendStatus(403); // an agent that acts for nobody
  req.user = { id: user.id };
  next();
};
const userOf = (req: Request): string => String(req.user?.id);

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
