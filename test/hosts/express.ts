import { agentAuth, getCaller, noteThrown, permit } from '@countersign/express';
import express5, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import express4 from 'express4';
import type { Host } from './host.js';
import { billing, bucket, failure, pullCreated, received, recordOf, repoOf, whoami } from './routes.js';

export const hosts: readonly Host[] = [
  // The types of Express 4 differ, although the members used here are the same.
  hostOf('express4', express4 as unknown as typeof express5),
  hostOf('express5', express5),
];

function hostOf(name: string, express: typeof express5): Host {
  return {
    name,
    http2: false,
    listener({ guard, admission, mount, bodyParser, handled }) {
      const api = express.Router();
      api.get('/public', (_req, res) => void res.json({ public: true }));
      api.use(agentAuth(guard, admission));

      api.get(
        '/whoami',
        permit(false),
        waited(async (req, res) => {
          await handled('whoami', getCaller(req));
          res.json(whoami(getCaller(req)));
        }),
      );
      // Before the parser: the body is read as a stream.
      api.put(
        '/upload',
        permit('file.put', bucket),
        waited(async (req, res) => {
          await handled('file.put');
          res.json(await received(req));
        }),
      );
      if (bodyParser === 'after') api.use(express.json());

      api.post(
        '/repos/:owner/:repo/pulls',
        permit('pr.create', (req: Request<{ owner: string; repo: string }>) => repoOf(req)),
        waited(async (req, res) => {
          await handled('pr.create', getCaller(req));
          res.status(201).json(pullCreated(getCaller(req), req.body));
        }),
      );
      api.post(
        '/repos/:owner/:repo/merge',
        permit('pr.merge', (req: Request<{ owner: string; repo: string }>) => repoOf(req)),
        waited(async (_req, res) => {
          await handled('pr.merge');
          res.json({ merged: true });
        }),
      );
      api.get(
        '/invoices',
        permit('invoice.read', billing),
        waited(async (req, res) => {
          await handled('invoice.read');
          res.json({ query: req.query });
        }),
      );
      api.delete(
        '/records/:id',
        permit('record.delete', (req: Request<{ id: string }>) => recordOf(req)),
        waited(async (_req, res) => {
          await handled('record.delete');
          res.status(204).end();
        }),
      );

      api.delete(
        '/forgotten',
        waited(async (_req, res) => {
          await handled('forgotten');
          res.status(204).end();
        }),
      );

      const app = express();
      app.disable('x-powered-by');
      app.use(mount === '' ? '/' : mount, api);
      app.use(noteThrown(), answerError);
      return app;
    },
  };
}

/** Express 4 ignores the promise of a handler. */
function waited(handler: (req: Request, res: Response) => Promise<void>): RequestHandler<never> {
  return (req, res, next) => void handler(req, res).catch(next);
}

/** Express' own handler would print the stack. */
const answerError: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (res.headersSent) return next(error);
  const { status, body } = failure(error);
  res.status(status).json(body);
};
