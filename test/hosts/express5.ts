import { createHash } from 'node:crypto';
import { agentAuth, getCaller, noteThrown, permit } from '@countersign/express';
import express, { type ErrorRequestHandler, type Request } from 'express';
import type { Host } from './host.js';

export const express5: Host = {
  name: 'express5',
  listener({ guard, mount, bodyParser, handled }) {
    const api = express.Router();
    api.get('/public', (_req, res) => void res.json({ public: true }));
    api.use(agentAuth(guard));

    api.get('/whoami', async (req, res) => {
      await handled('whoami');
      const caller = getCaller(req);
      res.json({ actor: caller?.actor, subject: caller?.subject, chain: caller?.chain, scope: caller?.scope });
    });
    // Before the parser: the body is read as a stream.
    api.put('/upload', permit('file.put', { type: 'Bucket', id: 'default' }), async (req, res) => {
      await handled('file.put');
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const chunk of req) {
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
      }
      res.json({ bytes, sha256: hash.digest('hex') });
    });
    if (bodyParser === 'after') api.use(express.json());

    api.post('/repos/:owner/:repo/pulls', permit('pr.create', repo), async (req, res) => {
      await handled('pr.create');
      const { actor, subject, chain } = getCaller(req) ?? {};
      res.status(201).json({ actor, subject, chain, body: (req.body as unknown) ?? null });
    });
    api.post('/repos/:owner/:repo/merge', permit('pr.merge', repo), async (_req, res) => {
      await handled('pr.merge');
      res.json({ merged: true });
    });
    api.get('/invoices', permit('invoice.read', { type: 'Dataset', id: 'billing' }), async (req, res) => {
      await handled('invoice.read');
      res.json({ query: req.query });
    });
    api.delete(
      '/records/:id',
      permit('record.delete', (req: Request<{ id: string }>) => ({ type: 'Record', id: req.params.id })),
      async (_req, res) => {
        await handled('record.delete');
        res.status(204).end();
      },
    );

    const app = express();
    app.disable('x-powered-by');
    app.use(mount === '' ? '/' : mount, api);
    app.use(noteThrown(), answerError);
    return app;
  },
};

function repo({ params }: Request<{ owner: string; repo: string }>): { type: string; id: string } {
  return { type: 'Repo', id: `${params.owner}/${params.repo}` };
}

/** Express' own handler would print the stack. */
const answerError: ErrorRequestHandler = (error: { readonly status?: unknown }, _req, res, next) => {
  if (res.headersSent) return next(error);
  res.status(typeof error?.status === 'number' ? error.status : 500).json({ error: 'the handler failed' });
};
