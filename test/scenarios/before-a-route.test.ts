import * as forExpress from '@countersign/express';
import express5, { type RequestHandler } from 'express';
import express4 from 'express4';
import { describe, expect, it } from 'vitest';
import { guarded, send, serve, signed } from '../support/guarded.js';

const { agentAuth, permit } = forExpress;
const pass: RequestHandler = (_req, _res, next) => next();
const answer: RequestHandler = (_req, res) => void res.send('done');
const thing = { type: 'Thing', id: '1' };

/** As the guides write it. */
function forPeople(middleware: RequestHandler): RequestHandler {
  return (req, res, next) => (req.caller === undefined ? middleware(req, res, next) : next());
}

describe.each([
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
])('on %s', (_name, express) => {
  it('an upload handler in app.use stores nothing of a refused agent when agents skip it', async () => {
    const { guard } = await guarded({ traffic: 'mixed' });
    const stored: string[] = [];
    const upload =
      (name: string): RequestHandler =>
      (_req, _res, next) => {
        stored.push(name);
        next();
      };
    const app = express();
    app.use(agentAuth(guard), upload('for everybody'), forPeople(upload('for people')));
    app.post('/upload', (_req, res) => void res.send('done'));
    await using served = await serve(app);
    const refused = await send(served.url, signed({ method: 'POST', target: '/upload', body: '{}' }));
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'route_unmapped' });
    expect(stored).toEqual(['for everybody']);
  });

  it('a route that serves as middleware closes a permitted route behind it, and the log names it', async () => {
    const { guard, audit } = await guarded({ traffic: 'mixed' });
    const app = express();
    app.use(agentAuth(guard));
    app.get(/^\/things/, pass);
    app.get('/things', permit('thing.read', thing), answer);
    app.use('/others', pass);
    app.get('/others', permit('thing.read', thing), answer);
    await using served = await serve(app);
    const closed = await send(served.url, signed({ target: '/things' }));
    expect(JSON.parse(closed.body)).toMatchObject({ code: 'route_unmapped' });
    expect(audit.records.find(({ code }) => code === 'route_unmapped')?.detail).toMatch(
      /GET .*things.* asks for no permission/,
    );
    expect((await send(served.url, signed({ target: '/others' }))).body).toBe('done');
  });
});
