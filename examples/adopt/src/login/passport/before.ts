import express, { type Request } from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';

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
app.use(express.json());

const login = passport.authenticate('jwt', { session: false });
const userOf = (req: Request): string => String(req.user?.id);

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
