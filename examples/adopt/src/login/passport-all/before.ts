import express, { type Request } from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';
import { rowOf } from '../rows.js';

const fromHeader = ExtractJwt.fromAuthHeaderAsBearerToken();
passport.use(
  new Strategy({ jwtFromRequest: fromHeader, secretOrKey: secret, algorithms: ['HS256'] }, ({ sub }, done) => {
    rowOf(String(sub)).then((row) => done(null, row?.isActive === true && row), done);
  }),
);

const app = express();
app.use(express.json());
app.use(passport.authenticate('jwt', { session: false }));

const idOf = (req: Request): string => String(req.user?.id);
app.get('/basket', (req, res) => void res.json(basketOf(idOf(req))));
app.post('/basket', (req, res) => {
  res.status(201).json(addToBasket(idOf(req), req.body));
});
app.delete('/basket', (req, res) => {
  emptyBasket(idOf(req));
  res.sendStatus(204);
});
app.post('/renew', async (req, res) => void res.json({ token: await loginToken(idOf(req)) }));

const server = app.listen(port, () => listening(server));
