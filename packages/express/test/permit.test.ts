import { ConfigError, type PolicyQuery, type Resource } from '@countersign/core';
import express, { type Express } from 'express';
import request from 'supertest';
import { describe, expect, it, vi } from 'vitest';
import { agentAuth, permit, type ResourceOf } from '../src/index.js';
import { patiently } from '../../../test/support/patiently.js';
import { agentId, call, guarded, type Guarded } from './support.js';

const thing: Resource = { type: 'Thing', id: '1' };

function route(
  guard: Guarded['guard'],
  ...middlewares: express.RequestHandler[]
): { app: Express; handler: () => number } {
  const handler = vi.fn((_req: express.Request, res: express.Response) => void res.send('done'));
  const app = express().use(agentAuth(guard)).all('/', middlewares, handler);
  return { app, handler: () => handler.mock.calls.length };
}

describe('permit', () => {
  it('asks policy about the action on the resource, and lets the handler run', async () => {
    const queries: PolicyQuery[] = [];
    const { guard, audit } = await guarded({
      policy: {
        scopeVocabulary: ['repo'],
        decide: (query) => {
          queries.push(query);
          return { decision: 'allow', cause: 'policy', policies: ['p#1'], policySet: 'test', errors: [] };
        },
      },
    });
    const app = express()
      .use(agentAuth(guard))
      .get(
        '/things/:id',
        permit('thing.read', async (req) => ({ ...thing, id: String(req.params['id']), attributes: { open: true } })),
        (_req, res) => void res.send('done'),
      );
    expect((await call(app, { target: '/things/a%2Fb?x=1' })).text).toBe('done');
    expect(queries).toEqual([
      {
        principal: { id: agentId, roles: [], capabilities: ['repo:read'] },
        action: 'thing.read',
        resource: { type: 'Thing', id: 'a/b', attributes: { open: true } },
        context: {
          scope: ['repo:read'],
          depth: 0,
          via: [],
          proof: 'signature',
          possession: 'signature',
          request: { method: 'GET', path: '/things/a%2Fb' },
        },
      },
    ]);
    expect(audit.records[0]).toMatchObject({ decision: 'allow', action: 'thing.read', policies: ['p#1'] });
    expect(audit.records[0]?.resource).toEqual({ type: 'Thing', id: 'a/b' });
  });

  it('refuses with policy_denied, one record, no outcome, and without running the handler', async () => {
    const { guard, audit } = await guarded();
    const { app, handler } = route(guard, permit('forbidden', thing));
    const response = await call(app);
    expect(response.status).toBe(403);
    expect(response.body).toMatchObject({ code: 'policy_denied' });
    expect(handler()).toBe(0);
    expect(audit.records).toMatchObject([{ phase: 'decision', decision: 'deny', code: 'policy_denied' }]);
  });

  it('refuses with insufficient_scope and the missing scope, and asks policy only with that scope', async () => {
    const { guard, audit } = await guarded();
    const { app, handler } = route(guard, permit('thing.write', thing, { requires: 'repo:write' }));
    const response = await call(app);
    expect(response.status).toBe(403);
    expect(response.body).toMatchObject({ code: 'insufficient_scope' });
    expect(response.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="repo:write"');
    expect(handler()).toBe(0);
    expect(audit.records).toMatchObject([{ phase: 'decision', code: 'insufficient_scope', actor: { id: agentId } }]);
    const enough = route(guard, permit('thing.read', thing, { requires: 'repo:read:one' }));
    expect((await call(enough.app)).text).toBe('done');
  });

  it.each<[string, ResourceOf<express.Request>]>([
    [
      'throws',
      () => {
        throw new Error('no such row');
      },
    ],
    ['rejects', () => Promise.reject(new Error('database down at 10.0.0.7'))],
    ['gives no id', () => ({ type: 'Thing' }) as Resource],
    ['gives an empty id', () => ({ type: 'Thing', id: '' })],
    ['gives an id that is no string', () => ({ type: 'Thing', id: true as never })],
    ['converts a misspelt parameter', ({ params }) => ({ type: 'Thing', id: BigInt(params['idd'] as string) })],
    ['gives a misspelt parameter', ({ params }) => ({ type: 'Thing', id: params['idd'] })],
    ['gives the parts of a path', () => ({ type: 'Thing', id: ['a', 'b'] })],
    ['gives the text of a misspelt parameter', ({ params }) => ({ type: 'Thing', id: String(params['idd']) })],
    ['gives a misspelt parameter in a text', ({ params }) => ({ type: 'Thing', id: `acme/${String(params['idd'])}` })],
    ['gives the text null', () => ({ type: 'Thing', id: 'null' })],
    ['gives the text NaN', () => ({ type: 'Thing', id: 'NaN' })],
    ['gives the text of an object', () => ({ type: 'Thing', id: '[object Object]' })],
  ])('refuses with resource_unresolved when the resource %s [D12]', async (_title, resource) => {
    const { guard, audit } = await guarded();
    const { app, handler } = route(guard, permit('thing.read', resource));
    const response = await call(app);
    expect(response.status).toBe(500);
    expect(response.body).toMatchObject({ code: 'resource_unresolved' });
    expect(response.text).not.toMatch(/row|database/);
    expect(handler()).toBe(0);
    expect(audit.records).toMatchObject([{ phase: 'decision', decision: 'deny', code: 'resource_unresolved' }]);
  });

  it.each<[string, ResourceOf<express.Request>, string]>([
    ['Number of a text', () => ({ type: 'Thing', id: Number('x') }), 'its id is NaN, as of a misspelt parameter'],
    ['Number of a fraction', () => ({ type: 'Thing', id: Number('2.5') }), 'its id is no safe integer'],
    [
      'Number of too many digits',
      () => ({ type: 'Thing', id: Number('9007199254740993') }),
      'its id is no safe integer',
    ],
    ['BigInt of a text', () => ({ type: 'Thing', id: BigInt('x') }), 'its id is the text of no integer'],
    [
      'BigInt of a text, later',
      async () => ({ type: 'Thing', id: BigInt('\n2x') }),
      'its id is the text of no integer',
    ],
  ])('denies what %s makes, as a client can send it, and reports no fault [D12]', async (_title, resource, detail) => {
    const troubles: string[] = [];
    const { guard, audit } = await guarded({ onTrouble: (text) => void troubles.push(text) });
    const { app, handler } = route(guard, permit('thing.read', resource));
    expect((await call(app)).body).toMatchObject({ code: 'policy_denied', status: 403 });
    expect(handler()).toBe(0);
    expect(audit.records).toMatchObject([{ phase: 'decision', decision: 'deny', code: 'policy_denied', detail }]);
    expect(troubles).toEqual([]);
  });

  it('gives a missing resource the same answer as a denied one [D12]', async () => {
    const { guard, audit } = await guarded();
    const { app, handler } = route(
      guard,
      permit('thing.read', () => undefined),
    );
    expect((await call(app)).body).toMatchObject({ code: 'policy_denied', status: 403 });
    expect(handler()).toBe(0);
    expect(audit.records).toMatchObject([{ phase: 'decision', decision: 'deny', code: 'policy_denied' }]);
  });

  it('refuses with not_authenticated when no agentAuth comes before it', async () => {
    const handler = vi.fn();
    const app = express().get('/', permit('thing.read', thing), handler);
    const response = await request(app).get('/');
    expect(response.status).toBe(500);
    expect(response.body).toMatchObject({ code: 'not_authenticated' });
    expect(handler).not.toHaveBeenCalled();
    expect((await call(app)).body).toMatchObject({ code: 'not_authenticated' });
  });

  it('asks and records each of two permits on a route, with one outcome', async () => {
    const { guard, audit } = await guarded();
    const { app } = route(guard, permit('one', thing), permit('two', thing));
    expect((await call(app)).text).toBe('done');
    await vi.waitFor(() => expect(audit.records.at(-1)).toMatchObject({ phase: 'outcome' }), patiently);
    expect(audit.records.map(({ action, phase }) => action ?? phase)).toEqual(['one', 'two', 'outcome']);
  });

  it('records an outcome for the first of two permits when the second refuses', async () => {
    const { guard, audit } = await guarded();
    const { app, handler } = route(guard, permit('one', thing), permit('forbidden', thing));
    expect((await call(app)).status).toBe(403);
    expect(handler()).toBe(0);
    await vi.waitFor(() => expect(audit.records).toHaveLength(3), patiently);
    expect(audit.records.at(-1)).toMatchObject({ phase: 'outcome', outcome: { result: 'finished', status: 403 } });
  });

  it('asks the same for HEAD [D7]', async () => {
    const { guard } = await guarded();
    const app = express()
      .use(agentAuth(guard))
      .get('/', permit('forbidden', thing), (_req, res) => void res.send('x'));
    expect((await call(app, { method: 'HEAD' })).status).toBe(403);
  });
});

describe('permit, misused', () => {
  it.each([
    ['no action', () => permit('', thing)],
    ['an action that is no name', () => permit(undefined as unknown as string, thing)],
    ['no resource', () => permit('thing.read', undefined as unknown as Resource)],
    ['a resource in words', () => permit('thing.read', 'Thing' as unknown as Resource)],
    ['a resource that is null', () => permit('thing.read', null as unknown as Resource)],
    ['a misspelt option', () => permit('thing.read', thing, { require: 'x' } as object)],
  ])('throws a ConfigError immediately for %s [G5]', (_title, make) => {
    expect(make).toThrow(ConfigError);
  });
});
