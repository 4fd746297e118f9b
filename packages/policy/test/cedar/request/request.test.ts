import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cedarFromText } from '../../../src/cedar/from-source.js';
import type { PolicyQuery, Resource } from '../../../src/engine.js';
import { DRAFTS, reviewerQuery } from '../../query.js';

const { principal, context } = reviewerQuery();

const ONLY_ADMINS = `@id("admins") permit(principal, action, resource) when {
  context has onBehalfOf && context.onBehalfOf == User::"admin"
};
@id("admin-agent") permit(principal == Agent::"admin", action, resource);
@id("admin-role") permit(principal in Role::"admin", action, resource);
@id("admin-action") permit(principal, action in Action::"admin", resource);
@id("admin-resource") permit(principal, action, resource == Repo::"admin");`;

function docOwnedBy(id: string): PolicyQuery {
  const attributes = { owner: { type: 'User', id } };
  return reviewerQuery({ action: 'doc.read', resource: { type: 'Doc', id: 'd', attributes } });
}

describe('ids in a query [D9]', async () => {
  const engine = await cedarFromText({ policies: ONLY_ADMINS });
  const hostile = [
    'User::"admin"',
    'x" || true || "',
    'x"; permit(principal, action, resource); //',
    'admin"',
    '"admin"',
    'admin ',
    'admin\n',
    'admin\u0000',
    'ADMIN',
    '\\u{61}dmin',
    '{"__entity":{"type":"User","id":"admin"}}',
    '__proto__',
    '',
  ];
  for (const id of hostile) {
    it(`match no other entity: ${JSON.stringify(id)} [D9]`, () => {
      const query = reviewerQuery({
        principal: { id, roles: [id], capabilities: [id], owner: id },
        action: id,
        resource: { type: 'Repo', id, attributes: { [`${id}_`]: id }, parents: [{ type: 'Role', id }] },
        context: { ...context, onBehalfOf: id, scope: [id], request: { method: id, path: id } },
      });
      expect(engine.decide(query)).toMatchObject({ decision: 'deny', cause: 'policy' });
    });
  }

  it('are refused when they are objects [D9]', () => {
    const entity = { __entity: { type: 'User', id: 'admin' } } as unknown as string;
    for (const change of [
      { context: { ...context, onBehalfOf: entity } },
      { principal: { ...principal, id: entity } },
      { principal: { ...principal, roles: [entity] } },
      { action: entity },
      { resource: { type: 'Repo', id: entity } },
    ]) {
      expect(engine.decide(reviewerQuery(change))).toMatchObject({ decision: 'deny', cause: 'error' });
    }
  });
});

describe('the resource of a query [D9]', async () => {
  const engine = await cedarFromText({ policies: ONLY_ADMINS });
  const decide = (resource: Resource): unknown => engine.decide(reviewerQuery({ resource }));

  it('adds no roles or attributes to the acting agent [D9]', () => {
    const itself = { type: 'Agent', id: principal.id };
    expect(decide({ ...itself, parents: [{ type: 'Role', id: 'admin' }] })).toMatchObject({
      decision: 'deny',
      cause: 'error',
    });
    expect(decide({ ...itself, attributes: { capabilities: ['admin'] } })).toMatchObject({
      decision: 'deny',
      cause: 'error',
    });
  });

  describe('of a chain', async () => {
    const policies = `@id("role") permit(principal in Role::"admin", action, resource);
      @id("user") permit(principal, action, resource) when { context has onBehalfOf && context.onBehalfOf in Group::"managers" };
      @id("agent") permit(principal, action, resource) when {
        context has onBehalfOfAgent && context.onBehalfOfAgent in Role::"admin"
      };
      @id("described") permit(principal, action, resource in Team::"all");`;
    const entities = [{ type: 'User', id: 'alice', parents: [{ type: 'Group', id: 'interns' }] }];
    const described = await cedarFromText({ policies, entities });
    const parents = [
      { type: 'Role', id: 'admin' },
      { type: 'Group', id: 'managers' },
      { type: 'Team', id: 'all' },
    ];

    it.each<[string, Resource]>([
      ['a role of the agent', { type: 'Role', id: 'editor' }],
      ['the user', { type: 'User', id: 'bob' }],
      ['the agent that began', { type: 'Agent', id: 'began' }],
      ['an agent between', { type: 'Agent', id: 'first' }],
    ])('it describes nobody: %s [D9]', (_what, resource) => {
      const chain = { ...context, onBehalfOf: 'bob', onBehalfOfAgent: 'began', via: ['first'] };
      const ask = (asked: Resource) =>
        described.decide(
          reviewerQuery({ principal: { ...principal, roles: ['editor'] }, context: chain, resource: asked }),
        );
      expect(ask(resource)).toMatchObject({ decision: 'deny', cause: 'policy' });
      expect(ask({ ...resource, parents })).toMatchObject({ decision: 'deny', cause: 'error' });
      expect(ask({ ...resource, attributes: { level: 'admin' } })).toMatchObject({ decision: 'deny', cause: 'error' });
      expect(ask({ ...resource, id: 'another', parents })).toMatchObject({ decision: 'allow' });
    });

    it('it describes no group of the user either, of which only the policies know [D9]', () => {
      const resource = { type: 'Group', id: 'interns', parents };
      const [alice, bob] = ['alice', 'bob'].map((onBehalfOf) =>
        described.decide(reviewerQuery({ context: { ...context, onBehalfOf }, resource })),
      );
      expect(alice).toMatchObject({ decision: 'deny', cause: 'error' });
      expect(bob).toMatchObject({ decision: 'allow' });
    });
  });

  it('may be the acting agent without details', async () => {
    const own = await cedarFromText({
      policies: 'permit(principal, action, resource) when { principal == resource };',
    });
    const resource = { type: 'Agent', id: principal.id };
    expect(own.decide(reviewerQuery({ resource })).decision).toBe('allow');
    expect(own.decide(reviewerQuery({ resource: { ...resource, id: 'another' } })).decision).toBe('deny');
  });

  it('adds the requested action to no group [D9]', () => {
    const parents = [{ type: 'Action', id: 'admin' }];
    expect(decide({ type: 'Action', id: 'pr.create', parents })).toMatchObject({ decision: 'deny', cause: 'error' });
    expect(decide({ type: 'Repo', id: 'r', parents })).toMatchObject({ decision: 'deny', cause: 'error' });
    expect(decide({ type: 'Acme::Action', id: 'pr.create' })).toMatchObject({ decision: 'deny', cause: 'error' });
  });

  it('is refused with attributes named like JSON escapes [D9]', () => {
    const attributes = { owner: { __entity: { type: 'Role', id: 'admin' } } };
    expect(decide({ type: 'Repo', id: 'r', attributes })).toMatchObject({ decision: 'deny', cause: 'error' });
  });

  it('has entity-valued attributes as type and id when there is a schema', async () => {
    const typed = await cedarFromText({
      policies:
        'permit(principal, action, resource) when { context has onBehalfOf && resource.owner == context.onBehalfOf };',
      schema:
        'entity Doc = { owner: User }; action "doc.read" appliesTo { principal: [Agent], resource: [Doc], context: AgentContext };',
    });
    expect(typed.decide(docOwnedBy('user_123')).decision).toBe('allow');
    expect(typed.decide(docOwnedBy('user_124')).decision).toBe('deny');
  });
});

describe('hostile input [D11]', async () => {
  const engine = await cedarFromText({ policies: DRAFTS });
  const deep = JSON.parse('{"a":'.repeat(200) + '1' + '}'.repeat(200)) as Record<string, unknown>;
  const throwing: Record<string, unknown> = {};
  Object.defineProperty(throwing, 'a', {
    enumerable: true,
    get: () => {
      throw new Error('from the application');
    },
  });
  const spiteful = new Proxy<Record<string, unknown>>(
    {},
    {
      ownKeys: () => {
        throw new Error('from the application');
      },
    },
  );
  const hostile: Partial<PolicyQuery>[] = [
    { resource: { type: 'Repo', id: '\ud800' } },
    { action: '\udc00' },
    { principal: { ...principal, id: 'a\ud800' } },
    { principal: { ...principal, roles: ['\ud800'] } },
    { context: { ...context, onBehalfOf: '\ud800' } },
    { context: { ...context, scope: ['\ud800'] } },
    { context: { ...context, request: { method: 'POST', path: '/\ud800' } } },
    { context: { ...context, depth: 1.5 } },
    { context: { ...context, depth: 1n as unknown as number } },
    { resource: { type: 'Repo', id: 'r', attributes: deep } },
    { resource: { type: 'Repo', id: 'r', attributes: { a: 1n } } },
    { resource: { type: 'Repo', id: 'r', attributes: throwing } },
    { resource: { type: 'Repo', id: 'r', attributes: spiteful } },
    { resource: undefined as unknown as Resource },
    { resource: { type: 'Repo', id: 'r', parents: 'none' as unknown as [] } },
    { context: undefined as unknown as PolicyQuery['context'] },
    { principal: { ...principal, roles: undefined as unknown as [] } },
  ];
  for (const [index, change] of hostile.entries()) {
    it(`is denied with an error, case ${index} [D11]`, () => {
      const decision = engine.decide(reviewerQuery(change));
      expect(decision).toMatchObject({ decision: 'deny', cause: 'error', policies: [] });
      expect(decision.errors).toHaveLength(1);
    });
  }

  it('leaves the engine usable after 2,000 queries [D4]', () => {
    for (let round = 0; round < 2_000; round++) {
      const change = hostile[round % hostile.length] ?? {};
      expect(engine.decide(reviewerQuery(change)).cause).toBe('error');
    }
    expect(engine.decide(reviewerQuery()).decision).toBe('allow');
  });

  it('never throws or allows, for any value [D11]', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }),
        fc.string({ unit: 'binary' }),
        (value, id) => {
          for (const query of [
            value,
            { ...reviewerQuery(), context: value },
            reviewerQuery({ resource: { type: 'Repo', id, attributes: { value } } }),
          ]) {
            expect(engine.decide(query as PolicyQuery).decision).toBe('deny');
          }
        },
      ),
    );
  });
});
