import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { decideOnce } from '../../src/cedar/engine.js';
import { cedarFromText } from '../../src/cedar/from-source.js';
import type { PolicyQuery } from '../../src/engine.js';
import { DRAFTS, REPO_SCHEMA, reviewerQuery } from '../query.js';

const PERMIT_ALL = '@id("all") permit(principal, action, resource);';

const { context } = reviewerQuery();

async function permits(condition: string, change: Partial<PolicyQuery> = {}): Promise<string> {
  const engine = await cedarFromText({ policies: `permit(principal, action, resource) when { ${condition} };` });
  return engine.decide(reviewerQuery(change)).decision;
}

describe('a permit for one agent, user and repository', async () => {
  const withSchema = await cedarFromText({ policies: DRAFTS, schema: REPO_SCHEMA });
  const without = await cedarFromText({ policies: DRAFTS });

  for (const [name, engine] of [
    ['with a schema', withSchema],
    ['without a schema', without],
  ] as const) {
    it(`allows the request that it names, ${name}`, () => {
      expect(engine.decide(reviewerQuery())).toEqual({
        decision: 'allow',
        cause: 'policy',
        policies: ['policies.cedar#drafts'],
        policySet: engine.policySet,
        errors: [],
      });
    });

    const otherwise: Record<string, Partial<PolicyQuery>> = {
      'another agent': { principal: { id: 'agent-code-reviewer-02', roles: [], capabilities: [] } },
      'another user': { context: { ...context, onBehalfOf: 'user_124' } },
      'another action': { action: 'pr.merge' },
      'another repository': { resource: { type: 'Repo', id: 'acme/web' } },
      'another scope': { context: { ...context, scope: ['pr:write:drafts', 'pr'] } },
      'no scope': { context: { ...context, scope: [] } },
    };
    for (const [difference, change] of Object.entries(otherwise)) {
      it(`denies ${difference} by policy, ${name}`, () => {
        const decision = engine.decide(reviewerQuery(change));
        expect(decision).toMatchObject({ decision: 'deny', cause: 'policy', policies: [], errors: [] });
      });
    }

    it(`denies an agent that acts for itself, ${name}`, () => {
      const { onBehalfOf: _, ...itself } = context;
      expect(engine.decide(reviewerQuery({ context: { ...itself, depth: 0 } }))).toMatchObject({
        decision: 'deny',
        cause: 'policy',
      });
    });
  }
});

describe('a policy', () => {
  it('reads roles, capabilities and owner of the agent', async () => {
    const principal = { id: 'a', roles: ['reviewer', 'on-call'], capabilities: ['repo:read'], owner: 'team-platform' };
    const condition = `principal in Role::"on-call" && principal.capabilities.contains("repo:read") && principal.owner == "team-platform"`;
    expect(await permits(condition, { principal })).toBe('allow');
    expect(await permits(condition, { principal: { ...principal, roles: ['reviewer'] } })).toBe('deny');
    expect(await permits(condition, { principal: { ...principal, owner: 'team-data' } })).toBe('deny');
  });

  it('reads attributes and parents of the resource', async () => {
    const resource = {
      type: 'Acme::Repo',
      id: 'acme/api',
      attributes: { visibility: 'internal', stars: 7, archived: false, topics: ['api'], owner: { team: 'core' } },
      parents: [{ type: 'Acme::Org', id: 'acme' }],
    };
    const condition = `resource in Acme::Org::"acme" && resource.visibility == "internal" && resource.stars > 6 &&
      !resource.archived && resource.topics.contains("api") && resource.owner.team == "core"`;
    expect(await permits(condition, { resource })).toBe('allow');
    expect(await permits(condition, { resource: { ...resource, parents: [] } })).toBe('deny');
  });

  it('reads the proof and depth of the delegation, and the request', async () => {
    const condition =
      'context.proof == "issuer" && context.depth <= 1 && context.request.method == "POST" && context.request.path like "/repos/*"';
    expect(await permits(condition)).toBe('allow');
    expect(await permits(condition, { context: { ...context, proof: 'signature' } })).toBe('deny');
    expect(await permits(condition, { context: { ...context, depth: 2 } })).toBe('deny');
  });

  it('does not read unknown members of the context', async () => {
    const forged = { ...context, approved: true };
    expect(await permits('context has approved', { context: forged })).toBe('deny');
  });
});

describe('default deny', () => {
  it('applies to an unusual HTTP method [D7]', async () => {
    const engine = await cedarFromText({
      policies: DRAFTS.replace('context has', 'context.request.method == "POST" && context has'),
    });
    for (const method of ['HEAD', 'OPTIONS', 'QUERY', 'PROPFIND', 'post', '']) {
      const query = reviewerQuery({ context: { ...context, request: { method, path: '/' } } });
      expect(engine.decide(query).decision, method).toBe('deny');
    }
  });

  it('names the forbid that overrides a permit', async () => {
    const engine = await cedarFromText({
      policies: `${PERMIT_ALL} @id("freeze") forbid(principal, action, resource);`,
    });
    expect(engine.decide(reviewerQuery())).toMatchObject({
      decision: 'deny',
      cause: 'policy',
      policies: ['policies.cedar#freeze'],
    });
  });
});

describe('an evaluation error denies', () => {
  const erring = {
    'a missing attribute': 'context.nothing == 1',
    'a wrong type': 'context.proof == "issuer" && context.scope > 1',
    'an overflow': '9223372036854775807 + 1 > 0',
    'a bad ip()': 'ip(context.proof).isLoopback()',
    'a bad decimal()': 'decimal(context.proof).lessThan(decimal("1.0"))',
  };
  for (const [name, condition] of Object.entries(erring)) {
    it(`when a forbid fails (${name}) beside a permit [D1]`, async () => {
      const engine = await cedarFromText({
        policies: `${PERMIT_ALL} @id("guardrail") forbid(principal, action, resource) when { ${condition} };`,
      });
      const decision = engine.decide(reviewerQuery());
      expect(decision).toMatchObject({ decision: 'deny', cause: 'error', policies: ['policies.cedar#guardrail'] });
      expect(decision.errors).toHaveLength(1);
      expect(decision.errors[0]).toMatch(/^policies\.cedar#guardrail: ./);
    });

    it(`when a permit fails (${name}) [D2]`, async () => {
      const engine = await cedarFromText({ policies: `permit(principal, action, resource) when { ${condition} };` });
      expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'deny', cause: 'error' });
    });
  }

  it('when Cedar cannot parse the request [D3]', async () => {
    const engine = await cedarFromText({ policies: PERMIT_ALL });
    const decision = engine.decide(reviewerQuery({ resource: { type: 'not a type', id: 'x' } }));
    expect(decision).toMatchObject({ decision: 'deny', cause: 'error', policies: [] });
    expect(decision.errors[0]).toContain('resource');
  });
});

describe('validation of requests by a schema [D5]', async () => {
  const schema = `${REPO_SCHEMA}entity Doc = { level: Long }; entity Box in [Box];
    action "doc.read" appliesTo { principal: [Agent], resource: [Doc], context: AgentContext };
    action "for-people" appliesTo { principal: [User], resource: [Repo] };`;
  const engine = await cedarFromText({ policies: PERMIT_ALL, schema });
  const doc = { type: 'Doc', id: 'd', attributes: { level: 3 } };

  it('allows a valid request that a policy permits', () => {
    expect(engine.decide(reviewerQuery()).decision).toBe('allow');
    expect(engine.decide(reviewerQuery({ action: 'doc.read', resource: doc })).decision).toBe('allow');
  });

  const unfit: Record<string, Partial<PolicyQuery>> = {
    'an unknown action': { action: 'pr.approve' },
    'an unknown resource type': { resource: { type: 'Repository', id: 'acme/api' } },
    'an action that does not apply to the resource': { resource: doc },
    'an action that is not for agents': { action: 'for-people' },
    'a missing attribute': { action: 'doc.read', resource: { type: 'Doc', id: 'd' } },
    'an attribute of another type': { action: 'doc.read', resource: { ...doc, attributes: { level: 'high' } } },
    'an undeclared attribute': { action: 'doc.read', resource: { ...doc, attributes: { level: 3, extra: true } } },
    'an undeclared parent': { action: 'doc.read', resource: { ...doc, parents: [{ type: 'Box', id: 'b' }] } },
  };
  for (const [name, change] of Object.entries(unfit)) {
    it(`denies ${name} [D5]`, () => {
      expect(engine.decide(reviewerQuery(change))).toMatchObject({ decision: 'deny', cause: 'error' });
    });
  }
});

describe('two engines [D10]', () => {
  it('decide by their own policies after either is created or replaced', async () => {
    const open = await cedarFromText({ policies: PERMIT_ALL });
    const shut = await cedarFromText({ policies: '@id("none") forbid(principal, action, resource);' });
    const both = (): string[] => [open, shut].map((engine) => engine.decide(reviewerQuery()).decision);
    expect(both()).toEqual(['allow', 'deny']);
    expect(await open.replace({ policies: `${PERMIT_ALL}\n` })).toEqual({ ok: true });
    expect(both()).toEqual(['allow', 'deny']);
    expect(open.policySet).not.toBe(shut.policySet);
  });
});

describe('replace', () => {
  it('applies new policies, hash and scope vocabulary at once [D13]', async () => {
    const engine = await cedarFromText({ policies: DRAFTS, schema: REPO_SCHEMA });
    const before = engine.policySet;
    const policies = 'forbid(principal, action, resource) when { context.scope.contains("x:y") };';
    expect(await engine.replace({ policies, schema: REPO_SCHEMA })).toEqual({ ok: true });
    expect(engine.decide(reviewerQuery())).toMatchObject({
      decision: 'deny',
      cause: 'policy',
      policySet: engine.policySet,
    });
    expect(engine.policySet).not.toBe(before);
    expect(engine.scopeVocabulary).toEqual(['x:y']);
  });

  it('updates the actions from the new schema', async () => {
    const engine = await cedarFromText({ policies: DRAFTS, schema: REPO_SCHEMA });
    const schema = `${REPO_SCHEMA}\nentity Shelf; action "group";
action "shelf.read" in ["group"] appliesTo { principal: [Agent], resource: [Shelf, User], context: AgentContext };`;
    expect(engine.actions?.has('shelf.read')).toBe(false);
    expect(await engine.replace({ policies: DRAFTS, schema })).toEqual({ ok: true });
    expect(engine.actions?.get('shelf.read')).toEqual(['Shelf', 'User']);
    expect(engine.actions?.has('group')).toBe(false);
    expect((await cedarFromText({ policies: DRAFTS })).actions).toBeUndefined();
  });

  const bad = {
    'no policy': { policies: '' },
    'a syntax error': { policies: 'permit(principal, action);' },
    'policies that do not validate': {
      policies: DRAFTS.replace('onBehalfOf ==', 'onBehalfof =='),
      schema: REPO_SCHEMA,
    },
    'a bad schema': { policies: DRAFTS, schema: 'entity' },
    'too deep a policy': {
      policies: `permit(principal, action, resource) when { ${'('.repeat(200)}true${')'.repeat(200)} };`,
    },
    'a lone surrogate': { policies: `${DRAFTS} // \ud800` },
  };
  for (const [name, source] of Object.entries(bad)) {
    it(`keeps the old set after ${name} [D6]`, async () => {
      const engine = await cedarFromText({ policies: DRAFTS, schema: REPO_SCHEMA });
      const before = engine.decide(reviewerQuery());
      const answer = await engine.replace(source);
      expect(answer).toMatchObject({ ok: false, problem: expect.stringMatching(/./) });
      expect(engine.decide(reviewerQuery())).toEqual(before);
      await expect(cedarFromText(source)).rejects.toThrow(ConfigError);
    });
  }
});

it('the decision before the first request evaluates a policy', async () => {
  expect(await decideOnce()).toMatchObject({ decision: 'allow', cause: 'policy', errors: [] });
});
