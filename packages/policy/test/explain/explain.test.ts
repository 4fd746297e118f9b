import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cedarFromText } from '../../src/cedar/from-source.js';
import type { Resource } from '../../src/engine.js';
import type { UnmetCondition } from '../../src/explanation.js';
import { explanationText } from '../../src/explain/explanation-text.js';
import { DRAFTS, REPO_SCHEMA, reviewerQuery } from '../query.js';

const base = reviewerQuery();
type Query = typeof base;

interface Case {
  readonly policies: string;
  readonly schema?: string;
  readonly entities?: readonly Resource[];
  readonly query: Query;
  /** For each of the nearest permits: about, line, text. */
  readonly nearest: readonly (readonly [
    id: string,
    ...unmet: (readonly [UnmetCondition['about'], number, string])[],
  ])[];
}

const withContext = (change: Partial<Query['context']>): Query =>
  reviewerQuery({ context: { ...base.context, ...change } });
const forItself = (change: Partial<Query> = {}): Query => {
  const { onBehalfOf: _none, ...context } = base.context;
  return reviewerQuery({ context: { ...context, depth: 0 }, ...change });
};
const repo = (attributes: Record<string, unknown>): Query =>
  reviewerQuery({ resource: { type: 'Repo', id: 'acme/api', attributes } });

const HAS = 'context has onBehalfOf';
const ON_BEHALF = 'context.onBehalfOf == User::"user_123"';
const SCOPE = 'context.scope.contains("pr:write:draft")';

const cases: Record<string, Case> = {
  'the scope': {
    policies: DRAFTS,
    query: withContext({ scope: ['repo:read'] }),
    nearest: [['drafts', ['scope', 9, SCOPE]]],
  },
  'the subject, whose absence also guards what comes after it': {
    policies: DRAFTS,
    query: forItself(),
    nearest: [['drafts', ['subject', 7, HAS]]],
  },
  'another subject': {
    policies: DRAFTS,
    query: withContext({ onBehalfOf: 'user_456' }),
    nearest: [['drafts', ['subject', 8, ON_BEHALF]]],
  },
  'the actor, the resource, and a condition': {
    policies: DRAFTS,
    query: reviewerQuery({
      principal: { ...base.principal, id: 'agent-x' },
      resource: { type: 'Repo', id: 'acme/web' },
      context: { ...base.context, scope: [] },
    }),
    nearest: [
      [
        'drafts',
        ['actor', 1, 'principal == Agent::"agent-code-reviewer-01"'],
        ['resource', 1, 'resource == Repo::"acme/api"'],
        ['scope', 9, SCOPE],
      ],
    ],
  },
  'the action, where no permit is about it': {
    policies: DRAFTS,
    schema: REPO_SCHEMA,
    query: reviewerQuery({ action: 'pr.merge' }),
    nearest: [['drafts', ['action', 1, 'action == Action::"pr.create"']]],
  },
  'only permits for the action, where there are any': {
    policies: `@id("merge") permit(principal, action == Action::"pr.merge", resource);
@id("create") permit(principal is User, action == Action::"pr.create", resource is Path) when { context.proof == "3" };`,
    query: base,
    nearest: [
      [
        'create',
        ['actor', 2, 'principal is User'],
        ['resource', 2, 'resource is Path'],
        ['other', 2, 'context.proof == "3"'],
      ],
    ],
  },
  'a role that is in a role, by the entities; the nearer permit first': {
    policies: `@id("far") permit(principal in Role::"owner", action, resource) when { false && resource == principal };
@id("near") permit(principal in Role::"owner", action, resource);
@id("role") permit(principal in Role::"engineer", action, resource is Repo) unless { context.depth > 0 };`,
    entities: [{ type: 'Role', id: 'reviewer', parents: [{ type: 'Role', id: 'engineer' }] }],
    query: base,
    nearest: [
      ['role', ['other', 3, 'context.depth > 0']],
      ['near', ['actor', 2, 'principal in Role::"owner"']],
      [
        'far',
        ['actor', 1, 'principal in Role::"owner"'],
        ['other', 1, 'false'],
        ['resource', 1, 'resource == principal'],
      ],
    ],
  },
  'a group of actions, by the schema, in a head and in a clause': {
    policies: `@id("group") permit(principal, action in [Action::"writing"], resource is Repo)
when { action in Action::"writing" && context.proof == "7" };`,
    schema: `entity Repo; action "writing";
action "pr.create" in [Action::"writing"] appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`,
    query: base,
    nearest: [['group', ['other', 2, 'context.proof == "7"']]],
  },
  'the alternative of an unless that holds': {
    policies: `@id("u") permit(principal, action, resource) unless {
  principal.capabilities.contains("admin") ||
  resource has frozen && resource.frozen
};`,
    query: repo({ frozen: true }),
    nearest: [['u', ['resource', 3, 'resource has frozen && resource.frozen']]],
  },
  'an attribute of the resource, guarded by has': {
    policies: '@id("h") permit(principal, action, resource) when { resource has team && resource.team == "red" };',
    query: base,
    nearest: [['h', ['resource', 1, 'resource has team']]],
  },
  'alternatives of a when, as one, and without their comments': {
    policies: `@id("or") permit(principal, action, resource) when { // "one" && two
  context.proof == "3" || // else
    context.proof == "4"
} when { "a // && b" == "c" };`,
    query: base,
    nearest: [['or', ['other', 2, 'context.proof == "3" || context.proof == "4"'], ['other', 4, '"a // && b" == "c"']]],
  },
  'an if, as one': {
    policies:
      '@id("if") permit(principal, action, resource) when { if context.proof == "issuer" then false else true && true };',
    query: base,
    nearest: [['if', ['other', 1, 'if context.proof == "issuer" then false else true && true']]],
  },
  'an approval': {
    policies: '@id("a") permit(principal, action, resource) when { context has approval };',
    query: base,
    nearest: [['a', ['approval', 1, 'context has approval']]],
  },
};

describe('decision.explain()', () => {
  it.each(Object.entries(cases))('names %s', async (_name, { query, nearest, ...source }) => {
    const engine = await cedarFromText(source);
    const decision = engine.decide(query);
    expect(decision).toMatchObject({ decision: 'deny', cause: 'policy' });
    const explanation = decision.explain();
    expect(
      explanation.nearest.map(({ id, unmet }) => [
        id.replace('policies.cedar#', ''),
        ...unmet.map(({ about, line, text }) => [about, line, text]),
      ]),
    ).toEqual(nearest);
  });

  it('names the determining permit by file, line and @id', async () => {
    const engine = await cedarFromText({ policies: { 'a.cedar': `\n${DRAFTS}` } });
    const { nearest, determining, request } = engine.decide(base).explain();
    expect(determining).toEqual([{ id: 'a.cedar#drafts', effect: 'permit', file: 'a.cedar', line: 2 }]);
    expect(nearest).toEqual([]);
    expect(request).toEqual({
      actor: 'Agent::"agent-code-reviewer-01"',
      roles: ['reviewer'],
      subject: 'User::"user_123"',
      action: 'pr.create',
      resource: 'Repo::"acme/api"',
      scope: ['pr:write:draft'],
    });
  });

  it('reports the permit for the action among many for other actions', async () => {
    const others = Array.from({ length: 60 }, () => 'permit(principal, action == Action::"pr.merge", resource);');
    const own = '@id("own") permit(principal is User, action == Action::"pr.create", resource is Path);';
    const engine = await cedarFromText({ policies: [...others, own].join('\n') });
    expect(
      engine
        .decide(base)
        .explain()
        .nearest.map(({ id }) => id),
    ).toEqual(['policies.cedar#own']);
  });

  it('names the forbid that overrides a permit', async () => {
    const engine = await cedarFromText({ policies: `${DRAFTS}@id("freeze") forbid(principal, action, resource);` });
    const explanation = engine.decide(base).explain();
    expect(explanation.determining).toMatchObject([{ id: 'policies.cedar#freeze', effect: 'forbid', line: 11 }]);
    expect(explanation.nearest).toMatchObject([{ id: 'policies.cedar#drafts', unmet: [] }]);
    expect(
      explanationText(explanation),
    ).toBe(`Denied: Agent::"agent-code-reviewer-01" for User::"user_123", pr.create on Repo::"acme/api".
Forbidden by:
  policies.cedar#freeze (policies.cedar:11)
Without that, these permits come nearest:
  policies.cedar#drafts (policies.cedar:1)
    it applies`);
  });

  it('reports the errors of the decision and of a condition', async () => {
    const policies = '@id("e") permit(principal, action, resource) when { resource.team == "red" };';
    const engine = await cedarFromText({ policies });
    const explanation = engine.decide(base).explain();
    expect(explanation).toMatchObject({ determining: [{ id: 'policies.cedar#e' }], nearest: [] });
    expect(explanationText(explanation)).toMatch(/An error denies.*\n.*policies\.cedar#e: .*team/);
    const unreadable = engine.decide(reviewerQuery({ resource: { type: 'Repo', id: '\ud800' } })).explain();
    expect(unreadable).toMatchObject({ errors: [expect.stringContaining('lone surrogate')], nearest: [] });
  });

  it('formats unmet conditions beside the values of the request', async () => {
    const engine = await cedarFromText({ policies: DRAFTS });
    expect(explanationText(engine.decide(withContext({ scope: ['repo:read'] })).explain())).toBe(
      `Denied: Agent::"agent-code-reviewer-01" for User::"user_123", pr.create on Repo::"acme/api".
No permit applies. The nearest:
  policies.cedar#drafts (policies.cedar:1)
    scope (policies.cedar:9): context.scope.contains("pr:write:draft")
      does not hold; the scope is repo:read`,
    );
  });

  it('uses the policies that decided after they are replaced', async () => {
    const engine = await cedarFromText({ policies: DRAFTS });
    const decision = engine.decide(forItself());
    await engine.replace({ policies: '@id("other") permit(principal, action, resource);' });
    expect(decision.explain().nearest).toMatchObject([{ id: 'policies.cedar#drafts' }]);
  });

  it('reports no unmet condition exactly when the permit permits', async () => {
    const atoms = [
      'true',
      'false',
      'context.proof == "issuer"',
      'context has onBehalfOf',
      '!(context has approval)',
      '("a && b" == "b")',
    ];
    const atom = fc.constantFrom(...atoms);
    const expression = fc
      .tuple(fc.constantFrom('&&', '||'), fc.array(atom, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([operator, parts, inBrackets]) => {
        const chain = parts.join(` ${operator}\n`);
        return inBrackets ? `(${chain}) // && false\n && true` : `${chain} || false && false`;
      });
    const clause = fc.tuple(fc.constantFrom('when', 'unless'), expression).map(([kind, body]) => `${kind} { ${body} }`);
    await fc.assert(
      fc.asyncProperty(fc.array(clause, { minLength: 1, maxLength: 3 }), async (clauses) => {
        const policy = `permit(principal, action, resource) ${clauses.join('\n')};`;
        const overruled = await cedarFromText({ policies: `${policy} forbid(principal, action, resource);` });
        const [near] = overruled.decide(base).explain().nearest;
        const alone = (await cedarFromText({ policies: policy })).decide(base);
        expect(near?.unmet.length === 0).toBe(alone.decision === 'allow');
      }),
      { numRuns: 40 },
    );
  });
});
