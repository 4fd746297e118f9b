import { type Caller, ConfigError, type Guard, RefusalError } from '@countersign/core';
import express, { type ErrorRequestHandler } from 'express';
import request from 'supertest';
import { describe, expect, it, vi } from 'vitest';
import { agentAuth, getCaller, noteThrown, permit } from '../src/index.js';
import { patiently } from '../../../test/support/patiently.js';
import { agentId, call, guarded, host, key } from './support.js';

describe('agentAuth', () => {
  it('answers with the refusal and calls no later handler', async () => {
    const { guard, audit } = await guarded();
    const behind = vi.fn();
    const app = express().use(agentAuth(guard), behind);
    const response = await unsigned(app);
    expect(response.status).toBe(401);
    expect(response.type).toBe('application/problem+json');
    expect(response.body).toMatchObject({ status: 401, code: 'signature_required' });
    expect(behind).not.toHaveBeenCalled();
    expect(audit.records).toMatchObject([{ phase: 'authentication', code: 'signature_required' }]);
  });

  it("onRefusal: 'throw' hands the refusal to the application's error handler", async () => {
    const { guard } = await guarded();
    const errors: unknown[] = [];
    const app = express()
      .use(agentAuth(guard, { onRefusal: 'throw' }))
      .get('/', permit('forbidden', { type: 'Thing', id: '1' }))
      .use(collect(errors));
    expect((await unsigned(app)).text).toBe('mine');
    expect((await call(app)).text).toBe('mine');
    expect(errors).toHaveLength(2);
    expect(errors[0]).toBeInstanceOf(RefusalError);
    expect(errors[0]).toMatchObject({
      name: 'RefusalError',
      code: 'signature_required',
      status: 401,
      statusCode: 401,
      headers: {
        'content-type': 'application/problem+json',
        'www-authenticate': 'Signature error="signature_required"',
      },
    });
    expect(errors[1]).toMatchObject({ code: 'policy_denied', status: 403 });
  });

  it('verifies the whole path under mounted routers [A13, G3]', async () => {
    const { guard } = await guarded();
    const inner = express.Router().use(agentAuth(guard)).get('/things/:id', permit(false), callerId);
    const app = express().use('/api', express.Router().use('/v1', inner));
    expect((await call(app, { target: '/api/v1/things/1?x=y' })).text).toBe(agentId);
    expect((await call(app, { target: '/api/v1/things/1', uncovered: ['"@path"'] })).status).toBe(401);
  });

  it('keeps the Cache-Control of a handler, none from before it, and adds none for people [A13]', async () => {
    const { guard } = await guarded({ traffic: 'mixed' });
    const app = express()
      .use('/early', cachedFor(60))
      .use(agentAuth(guard))
      .get('/late', permit(false), cachedFor(5))
      .get('/{*any}', permit(false), callerId);
    expect(await cacheControlOf(call(app))).toBe('private');
    expect(await cacheControlOf(call(app, { target: '/early' }))).toBe('private, max-age=60');
    expect(await cacheControlOf(unsigned(app, '/early'))).toBe('public, max-age=60');
    expect(await cacheControlOf(call(app, { target: '/late' }))).toBe('public, max-age=5');
    expect(await cacheControlOf(unsigned(app))).toBeUndefined();
  });

  it('ignores X-Forwarded-* with trust proxy [A13, G3]', async () => {
    const { guard } = await guarded();
    const app = express().set('trust proxy', true).use(agentAuth(guard)).get('/', permit(false), callerId);
    const forwarded = {
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Proto': 'http',
      'X-Forwarded-For': '10.0.0.1',
    };
    expect((await call(app).set(forwarded)).text).toBe(agentId);
    const response = await call(app, { host: 'evil.example' }).set('X-Forwarded-Host', host);
    expect(response.body).toMatchObject({ code: 'origin_mismatch' });
  });

  it('lets a later parser read the body as usual', async () => {
    const { guard } = await guarded();
    const app = express()
      .use(agentAuth(guard), express.json())
      .post('/', permit(false), (req, res) => void res.json(req.body));
    expect((await call(app, { method: 'POST', body: '{"a":[1]}' })).body).toEqual({ a: [1] });
  });

  it('works after an asynchronous middleware', async () => {
    const { guard } = await guarded();
    const app = express()
      .use((_req, _res, next) => void setImmediate(next))
      .use(agentAuth(guard), express.json())
      .post('/', permit(false), (req, res) => void res.json(req.body));
    expect((await call(app, { method: 'POST', body: '{"a":1}' })).body).toEqual({ a: 1 });
  });

  it('refuses with a fault of the server, and records it, when a parser comes before it [G2]', async () => {
    const { guard, audit } = await guarded();
    const behind = vi.fn();
    const app = express().use(express.json(), agentAuth(guard), behind);
    const response = await call(app, { method: 'POST', body: '{"a":1}' });
    expect(response.status).toBe(500);
    expect(response.body).toMatchObject({ code: 'body_consumed' });
    expect(behind).not.toHaveBeenCalled();
    expect(audit.records).toMatchObject([{ phase: 'authentication', code: 'body_consumed' }]);
    expect(audit.records[0]).not.toHaveProperty('actor');
  });

  it('refuses when an earlier middleware listens to the body [G2]', async () => {
    const { guard } = await guarded();
    const app = express().use((req, _res, next) => {
      req.on('data', () => {});
      next();
    }, agentAuth(guard));
    expect((await call(app, { method: 'POST', body: '{"a":1}' })).body).toMatchObject({ code: 'body_consumed' });
  });
});

describe('req.caller and getCaller', () => {
  it('ignore a caller that an earlier middleware set [G1]', async () => {
    const { guard } = await guarded();
    const admin = { actor: { id: 'admin' } };
    const app = express()
      .use((req, _res, next) => {
        Object.assign(req, { caller: admin, agent: admin });
        Object.assign(req.headers, { 'x-agent-id': 'admin' });
        next();
      })
      .get('/open', (req, res) => void res.json({ caller: getCaller(req) ?? null }))
      .use(agentAuth(guard))
      .get('/', permit(false), (req, res) => void res.json([req.caller?.actor.id, getCaller(req)?.actor.id]));
    expect((await call(app, { target: '/open' })).body).toEqual({ caller: null });
    expect((await call(app)).body).toEqual([agentId, agentId]);
  });

  it('do not let a handler change the caller or the record [G1, F9]', async () => {
    const { guard, audit } = await guarded();
    const app = express()
      .use(agentAuth(guard))
      .get('/', permit(false), (req, res) => {
        const attempts = [
          () => Object.assign(req.caller?.actor ?? {}, { id: 'admin' }),
          () => ((req.caller as Caller).scope as string[]).push('everything'),
          () => Object.assign(req.caller?.chain[0] ?? {}, { id: 'admin' }),
          () => Object.assign(req, { caller: { actor: { id: 'admin' } } }),
          () => Object.defineProperty(req, 'caller', { value: 1 }),
          () => delete (req as { caller?: unknown }).caller,
        ];
        for (const attempt of attempts) expect(attempt).toThrow(TypeError);
        res.send(req.caller?.actor.id);
      });
    expect((await call(app)).text).toBe(agentId);
    const records = await vi.waitFor(() => {
      expect(audit.records).toHaveLength(1);
      return audit.records;
    }, patiently);
    expect(records[0]).toMatchObject({
      phase: 'outcome',
      actor: { id: agentId, keyId: key.thumbprint },
      scope: ['repo:read'],
    });
  });

  it('do not accept a copy of a caller [G1]', async () => {
    const { guard } = await guarded();
    const app = express()
      .use(agentAuth(guard))
      .get('/', permit(false), async (req, res) => {
        const permission = { action: 'anything', resource: { type: 'Thing', id: '1' } };
        const caller = getCaller(req);
        if (caller === undefined) return;
        const own = await guard.authorize(caller, permission);
        const copied = await guard.authorize({ ...caller }, permission);
        const foreign = await (await guarded()).guard.authorize(caller, permission);
        res.json([own.ok, copied.ok, foreign.ok]);
      });
    expect((await call(app)).body).toEqual([true, false, false]);
  });

  it('are undefined when no guard ran', async () => {
    const app = express().get('/', (req, res) => void res.json([getCaller(req) === undefined, 'caller' in req]));
    expect((await request(app).get('/')).body).toEqual([true, false]);
  });
});

const failing = async (...handlers: ErrorRequestHandler[]) => {
  const { guard, audit } = await guarded();
  const app = express()
    .use(agentAuth(guard))
    .get('/', permit(false), async () => {
      await Promise.resolve();
      throw new Error('secret');
    });
  for (const handler of handlers) app.use(handler);
  const response = await call(app);
  expect(response.text).not.toContain('secret');
  return await vi.waitFor(() => {
    expect(audit.records).toHaveLength(1);
    return audit.records[0]?.outcome;
  }, patiently);
};
const answer500: ErrorRequestHandler = (_error, _req, res, _next) => void res.sendStatus(500);

describe('outcomes', () => {
  it('record threw when noteThrown reports the error [F5]', async () => {
    expect(await failing(noteThrown(), answer500)).toEqual({ result: 'threw', status: 500 });
  });

  it('record only the status of an error without noteThrown [F5]', async () => {
    expect(await failing(answer500)).toEqual({ result: 'finished', status: 500 });
  });

  it('do not change by noteThrown when no guard ran', async () => {
    const errors: unknown[] = [];
    const app = express()
      .get('/', () => {
        throw new Error('x');
      })
      .use(noteThrown(), collect(errors));
    expect((await request(app).get('/')).text).toBe('mine');
    expect(errors).toHaveLength(1);
  });
});

describe('agentAuth, misused', () => {
  it.each([undefined, null, {}, { authenticate: true }])('throws when the guard is %o [G5]', (guard) => {
    expect(() => agentAuth(guard as unknown as Guard)).toThrow(ConfigError);
  });

  it('checks its options immediately [G5]', async () => {
    const { guard } = await guarded();
    expect(() => agentAuth(guard, { onRefusals: 'throw' } as object)).toThrow("Did you mean 'onRefusal'");
    expect(() => agentAuth(guard, { onRefusal: 'ignore' as 'throw' })).toThrow("'respond' or 'throw'");
  });
});

function unsigned(app: express.Express, target = '/'): request.Test {
  return request(app).get(target).set('Host', host);
}

function collect(errors: unknown[]): ErrorRequestHandler {
  return (error, _req, res, _next) => {
    errors.push(error);
    res.send('mine');
  };
}

async function cacheControlOf(answer: request.Test): Promise<string | undefined> {
  return (await answer).get('Cache-Control');
}

function cachedFor(seconds: number): express.RequestHandler {
  return (_req, res, next) => {
    res.set('Cache-Control', `public, max-age=${seconds}`);
    next();
  };
}

function callerId(req: express.Request, res: express.Response): void {
  res.send(req.caller?.actor.id);
}
