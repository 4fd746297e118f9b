import { RefusalError, type Resource } from '@countersign/core';
import express5, { type Express, type NextFunction, type Request, type Response } from 'express';
import express4 from 'express4';
import { describe, expect, it, vi } from 'vitest';
import {
  agentId,
  type Guarded,
  guarded,
  outcomeOf,
  send,
  serve,
  signed,
  unsigned,
} from '../../../test/support/guarded.js';
import { Connection, type RawResponse } from '../../../test/support/connection.js';
import { deferred } from '../../../test/support/deferred.js';
import { patiently } from '../../../test/support/patiently.js';
import { serialized, tampered } from '../../../test/support/signed-request.js';
import { agentAuth, getCaller, noteThrown, Permit, permit } from '../src/index.js';
import { middleware } from '../src/middleware.js';

/** Both versions share the API of these tests, although their types differ. */
const versions: readonly (readonly [name: string, express: typeof express5])[] = [
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
];

const thing: Resource = { type: 'Thing', id: '1' };
const json = { method: 'POST', body: '{"a":[1]}' };

function ofRoute({ params }: Pick<Request, 'params'>): Resource {
  return { type: 'Thing', id: String(params['id']) };
}

function codeOf({ body, headers }: RawResponse): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined;
  return (JSON.parse(body) as { code: string }).code;
}

const sayWho = (req: Request, res: Response): void => void res.send(req.caller?.actor.id ?? 'nobody');
const answer = (error: Error, _req: Request, res: Response, _next: NextFunction): void =>
  void res.status(error instanceof RefusalError ? error.status : 500).send(`mine: ${error.message}`);
const goOn = (_error: Error, _req: Request, res: Response, _next: NextFunction): void => void res.send('all the same');

class Things {
  readonly ran: string[] = [];

  @Permit('thing.read', ofRoute)
  async read(req: Request, res: Response): Promise<void> {
    this.ran.push('read');
    res.json({ by: getCaller(req)?.actor.id });
  }

  @Permit('thing.read', ofRoute)
  async fail(_req: Request, _res: Response): Promise<void> {
    throw new Error('mine too');
  }
}

/** Takes the body first, like many controllers. */
class Saver {
  @Permit('thing.read', ofRoute)
  async save(_body: unknown, req: Request, res: Response): Promise<void> {
    res.json({ by: getCaller(req)?.actor.id });
  }
}

/** The compiled form of `@Permit(…) read() {}` with `experimentalDecorators`. */
class Legacy {
  readonly ran: string[] = [];
  async read(req: Request, res: Response): Promise<void> {
    this.ran.push('read');
    res.json({ by: getCaller(req)?.actor.id });
  }
}
const descriptor = Object.getOwnPropertyDescriptor(Legacy.prototype, 'read') as TypedPropertyDescriptor<Legacy['read']>;
Permit('thing.read', ofRoute)(Legacy.prototype, 'read', descriptor);
Object.defineProperty(Legacy.prototype, 'read', descriptor);

describe.each(versions)('%s', (_version, express) => {
  async function api(define: (app: Express, parts: Guarded) => unknown, given?: Guarded) {
    const parts = given ?? (await guarded());
    const app = express();
    define(app, parts);
    const served = await serve(app);
    return { ...parts, url: served.url, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
  }

  it('refuses before any parser or handler, and passes a signed body on to them', async () => {
    const behind = vi.fn((req: Request, res: Response) => void res.json(req.body));
    await using server = await api((app, { guard }) =>
      app.use(agentAuth(guard), express.json()).post('/', permit(false), behind),
    );
    const refused = await send(server.url, unsigned());
    expect(refused.status).toBe(401);
    expect(codeOf(refused)).toBe('signature_required');
    const forged = tampered(signed(json), { body: Buffer.from('{"a":[2]}') });
    expect(codeOf(await send(server.url, forged))).toBe('digest_mismatch');
    expect(behind).not.toHaveBeenCalled();
    expect(JSON.parse((await send(server.url, signed(json))).body)).toEqual({ a: [1] });
    expect(await outcomeOf(server)).toEqual({ result: 'finished', status: 200 });
  });

  it.each([[undefined], [null], [false], ['route'], ['router']])(
    'runs no handler if a check rejects with %s, which Express takes for a word of its own [G2]',
    async (reason) => {
      const behind = vi.fn((_req: Request, res: Response) => void res.end());
      await using server = await api((app) =>
        app.use(
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- what an application may do
          middleware({ role: 'agentAuth' }, () => Promise.reject(reason)),
          behind,
        ),
      );
      expect((await send(server.url, unsigned())).status).toBe(500);
      class Rejecting {
        @Permit('thing.read', thing)
        async read(_req: Request, _res: Response, _next: NextFunction): Promise<void> {
          await Promise.reject(reason);
        }
      }
      const { read } = new Rejecting();
      await using decorated = await api((app, { guard }) =>
        app.use(agentAuth(guard)).get('/', read, behind).use(behind),
      );
      expect((await send(decorated.url, signed())).status).toBe(500);
      expect(behind).not.toHaveBeenCalled();
    },
  );

  it('passes on what a method with a permit throws, also what is no Error of this realm', async () => {
    class Failing {
      @Permit('thing.read', thing)
      async read(_req: Request, _res: Response, _next: NextFunction): Promise<void> {
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- what an application may do
        await Promise.reject({ status: 404 });
      }
    }
    await using server = await api((app, { guard }) => app.use(agentAuth(guard)).get('/', new Failing().read));
    expect((await send(server.url, signed())).status).toBe(404);
  });

  it.each([
    ['permit', permit('thing.read', thing)],
    ['permit(false)', permit(false)],
  ])('runs no handler without its signed body behind %s, if its client goes away [A4]', async (_name, gate) => {
    const [arrived, gone] = [deferred(), deferred()];
    const behind = vi.fn((req: Request, res: Response) => void res.json(req.body));
    await using server = await api((app, { guard }) => {
      app.use(agentAuth(guard));
      // An answer that is not read keeps the connection open: nothing has ended when the client closes its side.
      app.get('/', permit(false), (_req, res) => void res.send(Buffer.alloc(20_000_000)));
      app.use((req, _res, next) => {
        req.socket.once('end', () => {
          next();
          gone.resolve();
        });
        arrived.resolve();
      });
      app.post('/', gate, express.json(), behind);
    });
    const connection = await Connection.open(server.url, { paused: true });
    connection.write(Buffer.concat([signed(), signed(json)].map(serialized)));
    await arrived.promise;
    connection.end();
    await gone.promise;
    connection.destroy();
    await vi.waitFor(() => {
      expect(server.audit.records.filter(({ phase }) => phase === 'outcome')).toHaveLength(2);
    }, patiently);
    expect(behind).not.toHaveBeenCalled();
  });

  it('verifies mounted routers, HEAD and unknown paths [A13, G3]', async () => {
    await using server = await api((app, { guard }) => {
      const inner = express.Router().use(agentAuth(guard)).get('/things/:id', permit(false), sayWho);
      app.use('/api', express.Router().use('/v1', inner));
    });
    const target = '/api/v1/things/1?x=y';
    expect((await send(server.url, signed({ target }))).body).toBe(agentId);
    expect((await send(server.url, signed({ target, method: 'HEAD' }))).status).toBe(200);
    expect(await send(server.url, unsigned({ target, method: 'HEAD' }))).toMatchObject({ status: 401, body: '' });
    expect(codeOf(await send(server.url, unsigned({ target: '/api/v1/nowhere' })))).toBe('signature_required');
    expect((await send(server.url, signed({ target: '/api/v1/nowhere' }))).status).toBe(404);
  });

  it('refuses when a parser comes before it [G2]', async () => {
    await using server = await api((app, { guard }) => app.use(express.json(), agentAuth(guard), sayWho));
    expect(codeOf(await send(server.url, signed(json)))).toBe('body_consumed');
  });

  it('supports mixed traffic, and D8 one decision for each request', async () => {
    await using server = await api(
      (app, { guard }) => app.use(agentAuth(guard, { everyRequest: true }), sayWho),
      await guarded({ traffic: 'mixed' }),
    );
    expect((await send(server.url, unsigned({ target: '/forbidden' }))).body).toBe('nobody');
    expect((await send(server.url, signed({ target: '/repos/acme?x=1' }))).body).toBe(agentId);
    expect(codeOf(await send(server.url, signed({ target: '/forbidden' })))).toBe('policy_denied');
    expect(server.queries).toMatchObject([
      { action: 'http.get', resource: { type: 'Path', id: '/repos/acme' } },
      { action: 'http.get', resource: { type: 'Path', id: '/forbidden' } },
    ]);
  });

  it("passes refusals of agentAuth, permit and @Permit to the error handler with onRefusal: 'throw' [G3]", async () => {
    const things = new Things();
    await using server = await api((app, { guard }) =>
      app
        .use(agentAuth(guard, { onRefusal: 'throw' }))
        .get('/permit', permit('forbidden', thing), sayWho)
        .get('/method/:id', things.read.bind(things))
        .use(answer),
    );
    expect(await send(server.url, unsigned())).toMatchObject({
      status: 401,
      body: 'mine: A message signature is required.',
    });
    const denied = { status: 403, body: 'mine: Policy does not permit this.' };
    expect(await send(server.url, signed({ target: '/permit' }))).toMatchObject(denied);
    expect(await send(server.url, signed({ target: '/method/forbidden' }))).toMatchObject(denied);
  });

  it('records the answer of the application when it continues after a thrown refusal [F5]', async () => {
    await using server = await api((app, { guard }) =>
      app
        .use(agentAuth(guard, { onRefusal: 'throw' }))
        .get('/', permit('forbidden', thing), sayWho)
        .use(noteThrown(), goOn),
    );
    expect(await send(server.url, signed())).toMatchObject({ status: 200, body: 'all the same' });
    expect(await outcomeOf(server)).toEqual({ result: 'finished', status: 200 });
  });

  it('passes an error of a guarded method to the error handler [G3, F5]', async () => {
    const things = new Things();
    await using server = await api((app, { guard }) =>
      app.use(agentAuth(guard)).get('/:id', things.fail.bind(things)).use(noteThrown(), answer),
    );
    expect(await send(server.url, signed({ target: '/1' }))).toMatchObject({ status: 500, body: 'mine: mine too' });
    expect(await outcomeOf(server)).toEqual({ result: 'threw', status: 500 });
  });

  it.each<[string, () => Things | Legacy]>([
    ['@Permit', () => new Things()],
    ['@Permit as a legacy decorator', () => new Legacy()],
  ])('%s asks before the method runs, bound or in an arrow function', async (_title, create) => {
    const things = create();
    await using server = await api((app, { guard }) => {
      app.get('/unguarded/:id', things.read.bind(things));
      app.use(agentAuth(guard));
      app.get('/bound/:id', things.read.bind(things));
      app.get('/arrow/:id', permit(false), (req, res) => things.read(req, res));
    });
    for (const path of ['/bound', '/arrow']) {
      things.ran.length = 0;
      expect(JSON.parse((await send(server.url, signed({ target: `${path}/1` }))).body)).toEqual({ by: agentId });
      expect(codeOf(await send(server.url, signed({ target: `${path}/forbidden` })))).toBe('policy_denied');
      expect(things.ran).toEqual(['read']);
    }
    things.ran.length = 0;
    expect(codeOf(await send(server.url, signed({ target: '/unguarded/1' })))).toBe('not_authenticated');
    await expect((things.read as () => Promise<void>)()).rejects.toThrow('its request and response');
    expect(things.ran).toEqual([]);
  });

  it.each([
    '{"rawHeaders":[]}',
    '{"rawHeaders":[],"writeHead":1}',
    '{"rawHeaders":[],"writeHead":1,"headersSent":true}',
  ])('@Permit never takes a body for a request or a response: %s [G1]', async (body) => {
    const saver = new Saver();
    await using server = await api((app, { guard }) => {
      app.use(agentAuth(guard)).use(express.json());
      app.post('/:id', permit(false), (req, res) => saver.save(req.body, req, res));
    });
    const of = (id: string) => signed({ method: 'POST', target: `/${id}`, body });
    expect(codeOf(await send(server.url, of('forbidden')))).toBe('policy_denied');
    expect(JSON.parse((await send(server.url, of('1'))).body)).toEqual({ by: agentId });
  });
});
