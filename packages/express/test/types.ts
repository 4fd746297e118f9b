// Compiled with the tests and never run: it asserts types.
import type { Caller, Guard, Refusal } from '@countersign/core';
import { RefusalError } from '@countersign/core';
import express, { type ErrorRequestHandler, type Request } from 'express';
import express4, { type Request as Request4, type Response as Response4 } from 'express4';
import { agentAuth, getCaller, noteThrown, Permit, permit } from '../src/index.js';

declare const guard: Guard;

const app = express();
app.use(agentAuth(guard));
app.use('/api', agentAuth(guard, { onRefusal: 'throw' }));

// Resource and handler have the types of the route's parameters.
app.post(
  '/repos/:owner/:repo/pulls',
  permit('pr.create', (req: Request<{ owner: string; repo: string }>) => ({
    type: 'Repo',
    id: `${req.params.owner}/${req.params.repo}`,
  })),
  (req, res) => {
    const owner: string = req.params.owner;
    res.status(201).json({ owner, by: req.caller?.actor.id });
  },
);
app.get('/', permit('read', { type: 'Thing', id: '1' }, { requires: 'thing:read' }), (_req, res) => void res.end());
app.get(
  '/late',
  permit('read', async () => ({ type: 'Thing', id: '1' })),
);

app.get('/caller', (req, res) => {
  const caller: Caller | undefined = getCaller(req);
  // @ts-expect-error an unguarded route has no caller
  res.send(req.caller.actor.id);
  // @ts-expect-error only the guard sets the caller
  req.caller = caller;
  // @ts-expect-error a caller is readonly
  if (req.caller) req.caller.actor.id = 'admin';
});

// @ts-expect-error a guard is needed
agentAuth();
// @ts-expect-error there are two ways to refuse
agentAuth(guard, { onRefusal: 'ignore' });
// @ts-expect-error a resource is needed
permit('read');
// @ts-expect-error a resource has an id
permit('read', { type: 'Thing' });
// @ts-expect-error no such option
permit('read', { type: 'Thing', id: '1' }, { require: 'x' });

export const answer: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (!(error instanceof RefusalError)) return next(error);
  const code: Refusal['code'] = error.code;
  res.status(error.status).set(error.headers).send({ code });
};

// The same with Express 4 and its types.
const old = express4();
old.use(agentAuth(guard));
old.post(
  '/repos/:owner/:repo/pulls',
  permit('pr.create', ({ params }) => ({ type: 'Repo', id: `${String(params['owner'])}/${String(params['repo'])}` })),
  (req, res) => {
    const owner: string = req.params.owner;
    res.status(201).json({ owner, by: req.caller?.actor.id, caller: getCaller(req) });
  },
);
old.get(
  '/:id',
  permit('read', (req: Request4<{ id: string }>) => ({ type: 'Thing', id: req.params.id })),
);
old.use(noteThrown());

export class Things {
  @Permit('read', ({ params }) => ({ type: 'Thing', id: params['id'] }))
  async read(_req: Request4, res: Response4): Promise<void> {
    res.end();
  }

  // @ts-expect-error only methods have a permit
  @Permit('read', { type: 'Thing', id: '1' })
  readonly field: number = 1;
}
