import { actingUser, agentAuth, permit } from '@countersign/express';
import express, { type Request, type RequestHandler } from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';
import { guard } from '../guard.js';
import { rowOf } from '../rows.js';

const fromHeader = ExtractJwt.fromAuthHeaderAsBearerToken();
passport.use(
  new Strategy({ jwtFromRequest: fromHeader, secretOrKey: secret, algorithms: ['HS256'] }, ({ sub }, done) => {
    rowOf(String(sub)).then((row) => done(null, row?.isActive === true && row), done);
  }),
);

/** For what knows people, such as their login and session: agents skip it. */
function forPeople(middleware: RequestHandler): RequestHandler {
  return (req, res, next) => (req.caller === undefined ? middleware(req, res, next) : next());
}

/** The row of the user for whom an agent acts; behind the permit of a route, because there is no acting user before. */
const loadActing: RequestHandler = async (req, res, next) => {
  if (req.caller === undefined) return next();
  const user = actingUser(req);
  const row = user && (await rowOf(user.id));
  if (row?.isActive !== true) return void res.sendStatus(403); // nobody, or a user who may not act
  req.user = row;
  next();
};

const app = express();
app.use(agentAuth(guard));
app.use(express.json());
app.use(forPeople(passport.authenticate('jwt', { session: false }) as RequestHandler));

const idOf = (req: Request): string => String(req.user?.id);
const shop = { type: 'Shop', id: 'main' };
app.get('/basket', permit('basket.read', shop), loadActing, (req, res) => void res.json(basketOf(idOf(req))));
app.post('/basket', permit('basket.add', shop), loadActing, (req, res) => {
  res.status(201).json(addToBasket(idOf(req), req.body));
});
app.delete('/basket', (req, res) => {
  emptyBasket(idOf(req));
  res.sendStatus(204);
});
app.post('/renew', async (req, res) => void res.json({ token: await loginToken(idOf(req)) }));

const server = app.listen(port, () => listening(server));
