import type { RequestListener } from 'node:http';
import {
  cedarFromText,
  type Caller,
  type Guard,
  type PolicyEngine,
  type RefusalResponse,
  type Resource,
} from '@countersign/core';
import { agentAuth as expressAuth, getCaller as expressCaller, permit as expressPermit } from '@countersign/express';
import { agentAuth as fastifyAuth, getCaller as fastifyCaller } from '@countersign/fastify';
import { agentAuth as koaAuth, getCaller as koaCaller } from '@countersign/koa';
import express from 'express';
import { fastify } from 'fastify';
import Koa from 'koa';
import { describe, expect, it } from 'vitest';
import { agentId, guarded, send, serve, signed } from '../support/guarded.js';

/** The answer of the one route to its caller. */
type List = (caller: Caller | undefined) => Promise<RefusalResponse>;

type Lists = (guard: Guard, list: List) => RequestListener | Promise<RequestListener>;

const frameworks: readonly (readonly [string, Lists])[] = [
  [
    'Express 5',
    (guard, list) =>
      express()
        .use(expressAuth(guard))
        .get('/things', expressPermit(false), async (req, res) => {
          const { status, headers, body } = await list(expressCaller(req));
          res.status(status).set(headers).send(body);
        }),
  ],
  [
    'Fastify 5',
    async (guard, list) => {
      const app = fastify();
      await app.register(fastifyAuth, { guard });
      app.get('/things', { config: { permit: false } }, async (request, reply) => {
        const { status, headers, body } = await list(fastifyCaller(request));
        return await reply.code(status).headers(headers).send(body);
      });
      await app.ready();
      return app.routing;
    },
  ],
  [
    'Koa 3',
    (guard, list) => {
      const app = new Koa().use(koaAuth(guard)).use(async (ctx) => {
        const { status, headers, body } = await list(koaCaller(ctx));
        ctx.status = status;
        ctx.set(headers);
        ctx.body = body;
      });
      const listener = app.callback();
      return (request, response) => void listener(request, response);
    },
  ],
];

const thing = (id: string, n: number): Resource & { readonly n: number } => ({
  type: 'Thing',
  id,
  n,
  attributes: { n },
});
const [big, small, odd, twin] = [thing('big', 9), thing('small', 1), thing('odd', 3), thing('big', 2)];
/** Out of order, with a duplicate, one name for two types, and one that makes the policy fail. */
const stored: readonly Resource[] = [odd, big, small, { type: 'Thing', id: 'bare' }, odd, twin];

const policy = await cedarFromText({
  policies: `@id("few") permit(principal, action == Action::"thing.list", resource) when { resource.n < 5 };`,
});

describe.each(frameworks)('A filtered list, on %s', (_name, lists) => {
  /** Sends one request for the list to an app; `meanwhile` runs after its admission, before policy is asked. */
  async function listed(
    engine: PolicyEngine,
    meanwhile: (guard: Guard) => void = () => {},
    things: readonly Resource[] = stored,
  ) {
    const { guard, audit } = await guarded({ policy: engine, onTrouble: () => {} });
    const app = await lists(guard, async (caller) => {
      meanwhile(guard);
      if (caller === undefined) throw new Error('nobody was let in');
      const answer = await guard.filter(caller, 'thing.list', things, { requires: 'repo:read' });
      if (!answer.ok) return guard.respond(answer.refusal);
      return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer.permitted) };
    });
    await using server = await serve(app);
    const response = await send(server.url, signed({ target: '/things' }));
    return { response, decisions: audit.records.filter(({ phase }) => phase === 'decision') };
  }

  it('keeps order and duplicates, and has one record [F2]', async () => {
    const { response, decisions } = await listed(policy);
    expect([response.status, JSON.parse(response.body)]).toEqual([200, [odd, small, odd, twin]]);
    const named = [odd, small, odd, twin].map(({ type, id }) => ({ type, id }));
    expect(decisions).toMatchObject([
      {
        decision: 'allow',
        actor: { id: agentId },
        action: 'thing.list',
        policies: ['policies.cedar#few'],
        filtered: { asked: 6, permitted: 4, resources: named },
        detail: expect.stringMatching(/^1 could not be decided: policies\.cedar#few/),
      },
    ]);
  });

  it('holds what was decided when another request inserts meanwhile [J6]', async () => {
    const shared = [...stored];
    const inserting: PolicyEngine = {
      scopeVocabulary: [],
      decide: (query) => {
        if (query.resource.id === 'bare') shared.unshift(big);
        return policy.decide(query);
      },
    };
    const { response } = await listed(inserting, undefined, shared);
    expect(shared[0]).toBe(big);
    expect([response.status, JSON.parse(response.body)]).toEqual([200, [odd, small, odd, twin]]);
  });

  it('is decided with the attributes that a class gives by a getter [D15]', async () => {
    class Row {
      readonly type = 'Thing';
      readonly id: string;
      readonly n: number;
      constructor(id: string, n: number) {
        this.id = id;
        this.n = n;
      }
      get attributes() {
        return { n: this.n };
      }
    }
    const forbidding = await cedarFromText({
      policies: `permit(principal, action, resource);
forbid(principal, action, resource) when { resource has n && resource.n > 5 };`,
    });
    const { response } = await listed(forbidding, undefined, [new Row('big', 9), new Row('small', 1)]);
    expect([response.status, JSON.parse(response.body)]).toEqual([200, [{ type: 'Thing', id: 'small', n: 1 }]]);
  });

  it('is refused when the agent is revoked between its request and its list [C7]', async () => {
    const { response, decisions } = await listed(policy, (guard) => guard.revocations.revoke({ agent: agentId }));
    expect([response.status, JSON.parse(response.body)]).toMatchObject([401, { code: 'agent_suspended' }]);
    expect(decisions).toMatchObject([{ decision: 'deny', code: 'agent_suspended', action: 'thing.list' }]);
    expect(decisions[0]).not.toHaveProperty('filtered');
  });

  it('is refused whole when policy cannot decide about all of it [D4]', async () => {
    const partly: PolicyEngine = {
      scopeVocabulary: [],
      decide: (query) => (query.resource.id === 'small' ? Promise.reject(new Error('down')) : policy.decide(query)),
    };
    const { response, decisions } = await listed(partly);
    expect([response.status, JSON.parse(response.body)]).toMatchObject([503, { code: 'policy_unavailable' }]);
    expect(response.text).not.toContain('odd');
    expect(decisions).toMatchObject([{ decision: 'deny', code: 'policy_unavailable', action: 'thing.list' }]);
  });
});
