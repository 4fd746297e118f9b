import type { RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Guard, Subject } from '@countersign/core';
import * as forExpress from '@countersign/express';
import * as forFastify from '@countersign/fastify';
import * as forKoa from '@countersign/koa';
import * as forNode from '@countersign/node-http';
import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import express5 from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import Koa3 from 'koa';
import mount from 'koa-mount';
import Koa2 from 'koa2';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Connection, type RawResponse } from '../support/connection.js';
import { agentId, type Guarded, guarded, host, send, serve, signed, unsigned } from '../support/guarded.js';
import { patiently } from '../support/patiently.js';
import { run } from '../support/run.js';
import { serialized, tampered } from '../support/signed-request.js';
import { accessToken } from '../support/tokens.js';
import { issuer, userId } from '../support/world.js';

type GivenGuard = Guard | Promise<Guard>;
type Application = (guard: GivenGuard) => RequestListener | Promise<RequestListener>;

const thing = { type: 'Thing', id: '1' };
const forbidden = { type: 'Thing', id: 'forbidden' };
/** The acting users that handlers saw, in order. */
const saw: (Subject | undefined)[] = [];
const bodies: unknown[] = [];
beforeEach(() => {
  saw.splice(0);
  bodies.splice(0);
});

function endExpress(req: express5.Request, res: express5.Response): void {
  bodies.push(req.body);
  res.send('done');
}

function onExpress(express: typeof express5): Application {
  return (guard) => {
    const { actingUser, agentAuth, permit } = forExpress;
    const note = (req: express5.Request, _res: express5.Response, next: () => void): void => {
      saw.push(actingUser(req));
      next();
    };
    const app = express();
    app.use(agentAuth(guard), express.json());
    app.use('/admin', agentAuth(guard, { everyRequest: true }));
    app.post('/permitted', note, permit('thing.read', thing), note, endExpress);
    app.post('/refused', permit('thing.read', thing), permit('thing.read', forbidden), endExpress);
    app.all('/admin/:id', permit(false), note, endExpress);
    return app;
  };
}

function endKoa(ctx: Koa3.Context): void {
  bodies.push(ctx.request.body);
  ctx.body = 'done';
}

function onKoa(Koa: typeof Koa3): Application {
  return (guard) => {
    const { actingUser, agentAuth, permit } = forKoa;
    const note = async (ctx: Koa3.Context, next: () => Promise<unknown>): Promise<void> => {
      saw.push(actingUser(ctx));
      await next();
    };
    const router = new Router();
    router.post('/permitted', note, permit<Koa3.Context>('thing.read', thing), note, endKoa);
    router.post(
      '/refused',
      permit<Koa3.Context>('thing.read', thing),
      permit<Koa3.Context>('thing.read', forbidden),
      endKoa,
    );
    router.all('/admin/:id', permit<Koa3.Context>(false), note, endKoa);
    const app = new Koa();
    app.use(agentAuth(guard)).use(bodyParser());
    app.use(mount('/admin', agentAuth(guard, { everyRequest: true })));
    app.use(router.routes());
    const listener = app.callback();
    return (request, response) => void listener(request, response);
  };
}

const onFastify: Application = async (guard) => {
  const { actingUser, agentAuth, permit } = forFastify;
  const app = fastify();
  onTestFinished(() => app.close());
  await app.register(agentAuth, { guard });
  app.addHook('onRequest', async (request) => {
    if (request.url === '/permitted') saw.push(actingUser(request));
  });
  app.post('/permitted', permit('thing.read', thing), async (request) => {
    saw.push(actingUser(request));
    bodies.push(request.body);
    return 'done';
  });
  app.post('/refused', permit('thing.read', forbidden), async () => 'done');
  await app.register(async (admin) => {
    await admin.register(agentAuth, { guard, everyRequest: true });
    admin.all('/admin/:id', permit(false), async (request) => {
      saw.push(actingUser(request));
      return 'done';
    });
  });
  await app.ready();
  return app.routing;
};

const onNode: Application = (guard) => {
  const { actingUser, agentAuth, permit } = forNode;
  const outer = agentAuth(guard);
  const inner = agentAuth(guard, { everyRequest: true });
  const may = permit('thing.read', thing);
  const mayNot = permit('thing.read', forbidden);
  return async (request, response) => {
    if (!(await outer(request, response))) return;
    if (request.url?.startsWith('/admin') === true && !(await inner(request, response))) return;
    saw.push(actingUser(request));
    if (request.url === '/refused' && !(await mayNot(request, response))) return;
    if (request.url === '/permitted') {
      if (!(await may(request, response))) return;
      saw.push(actingUser(request));
    }
    let text = '';
    for await (const chunk of request) text += String(chunk);
    bodies.push(text === '' ? undefined : JSON.parse(text));
    response.end('done');
  };
};

const applications: readonly (readonly [name: string, Application])[] = [
  ['Express 5', onExpress(express5)],
  ['Express 4', onExpress(express4 as unknown as typeof express5)],
  ['Koa 3', onKoa(Koa3)],
  ['Koa 2', onKoa(Koa2)],
  ['Fastify 5', onFastify],
  ['node:http', onNode],
];

const token = (): Promise<string> => {
  const now = Math.floor(Date.now() / 1000);
  return accessToken(issuer, {
    iss: issuer.issuer,
    aud: `https://${host}`,
    sub: userId,
    act: { sub: agentId },
    scope: 'repo:read',
    iat: now,
    exp: now + 300,
    jti: crypto.randomUUID(),
    client_id: 'countersign-tests',
  });
};
const user = { id: userId, type: 'user', issuer: issuer.issuer };
const body = '{"a":1}';

function codeOf({ body: text }: RawResponse): unknown {
  return (JSON.parse(text) as { code: unknown }).code;
}

async function parts(): Promise<Guarded> {
  return await guarded({
    traffic: 'mixed',
    issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] } }],
    onTrouble: () => {},
  });
}

describe.each(applications)('an application on %s', (name, application) => {
  it('receives the acting user only after a permit has allowed the request [J5]', async () => {
    const { guard } = await parts();
    await using served = await serve(await application(guard));
    const sent = signed({ method: 'POST', target: '/permitted', body, token: await token() });
    expect((await send(served.url, sent)).body).toBe('done');
    expect(saw).toEqual([undefined, user]);
    expect(bodies).toEqual([{ a: 1 }]);
  });

  it('receives no acting user of an agent for itself, of a person, or with permit(false) [J5]', async () => {
    const { guard } = await parts();
    await using served = await serve(await application(guard));
    await send(served.url, signed({ method: 'POST', target: '/permitted', body }));
    const person = unsigned({
      method: 'POST',
      target: '/permitted',
      fields: [
        ['Host', host],
        ['Content-Length', '0'],
      ],
    });
    expect((await send(served.url, person)).status).toBe(200);
    const exempt = await send(served.url, signed({ target: '/admin/1', token: await token() }));
    expect(exempt.status).toBe(200);
    expect(new Set(saw)).toEqual(new Set([undefined]));
  });

  it('decides by a second agentAuth with everyRequest, also below a mount [J4]', async () => {
    const { guard, queries } = await parts();
    await using served = await serve(await application(guard));
    expect(codeOf(await send(served.url, signed({ method: 'DELETE', target: '/admin/forbidden' })))).toBe(
      'policy_denied',
    );
    expect(saw).toEqual([]);
    expect((await send(served.url, signed({ method: 'DELETE', target: '/admin/1?x=1' }))).status).toBe(200);
    expect(queries).toMatchObject([
      { action: 'http.delete', resource: { type: 'Path', id: '/admin/forbidden' } },
      { action: 'http.delete', resource: { type: 'Path', id: '/admin/1' } },
    ]);
  });

  it.skipIf(name === 'Fastify 5')(
    'serves requests once a promised guard is there, and loses no byte [G2]',
    async () => {
      const { guard } = await parts();
      const settle: ((guard: Guard) => void)[] = [];
      const listener = await application(new Promise<Guard>((resolve) => void settle.push(resolve)));
      let arrived = 0;
      await using served = await serve((request, response) => {
        arrived += 1;
        listener(request, response);
      });
      const large = JSON.stringify({ text: 'x'.repeat(90_000) });
      const early = await Connection.open(served.url);
      early.write(serialized(signed({ method: 'POST', target: '/permitted', body: large, token: await token() })));
      const forged = await Connection.open(served.url);
      forged.write(
        serialized(tampered(signed({ method: 'POST', target: '/permitted', body }), { body: Buffer.from('{"a":2}') })),
      );
      await vi.waitFor(() => expect(arrived).toBe(2), patiently);
      expect(bodies).toEqual([]);
      settle[0]?.(guard);
      expect((await early.read()).body).toBe('done');
      expect(codeOf(await forged.read())).toBe('digest_mismatch');
      expect(bodies).toEqual([JSON.parse(large)]);
      early.destroy();
      forged.destroy();
    },
  );
});

describe('a guard that cannot be made', () => {
  it.each([
    [
      'Express',
      "import express from 'express'; import { agentAuth } from '@countersign/express';",
      'createServer(express().use(agentAuth(guard)))',
    ],
    [
      'Koa',
      "import Koa from 'koa'; import { agentAuth } from '@countersign/koa';",
      'createServer(new Koa().use(agentAuth(guard)).callback())',
    ],
    [
      'node:http',
      "import { agentAuth } from '@countersign/node-http';",
      '((auth) => createServer((q, s) => void auth(q, s).catch(() => {})))(agentAuth(guard))',
    ],
  ])('ends the process with its error on %s, also while a request waits [G5]', async (_name, imports, server) => {
    const program = `import { createServer } from 'node:http'; import { createGuard } from '@countersign/core'; ${imports}
      let fail;
      const guard = new Promise((resolve) => { fail = () => resolve(createGuard({ orgin: 'x' })); });
      const server = ${server};
      server.on('request', () => setImmediate(fail));
      server.listen(0, '127.0.0.1', () => fetch('http://127.0.0.1:' + server.address().port).catch(() => {}));`;
    const cwd = fileURLToPath(new URL('..', import.meta.url));
    const ended = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd });
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toContain('ConfigError');
    expect(ended.stderr).toContain("'origin'");
  });
});
