import { describe, expect, it } from 'vitest';
import { LivePolicies } from '../../../src/cedar/evaluate/live-policies.js';
import { type Cedar, freshCedar } from '../../../src/cedar/instance/instance.js';
import { readPolicySet } from '../../../src/cedar/load/read-policy-set.js';
import { AGENT_VOCABULARY } from '../../../src/cedar/load/schema.js';
import { cedarRequest } from '../../../src/cedar/request/request.js';
import type { PolicyContext } from '../../../src/engine.js';
import { reviewerQuery } from '../../query.js';

const SCHEMA =
  'entity Repo; action "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };';

type Difference = Partial<PolicyContext>;

const toPath = (path: string): Difference => ({ request: { method: 'POST', path } });

/** Evaluates requests that differ in path, and lists for each its decision and the context that Cedar received. */
function evaluated(condition: string, paths: readonly string[], schema?: string): Promise<[string, unknown][]> {
  return evaluatedEach(condition, paths.map(toPath), schema);
}

async function evaluatedEach(
  condition: string,
  differences: readonly Difference[],
  schema?: string,
): Promise<[string, unknown][]> {
  const texts = {
    policies: { 'p.cedar': `permit(principal, action, resource) when { ${condition} };` },
    ...(schema === undefined ? {} : { schema: { 's.cedarschema': schema } }),
  };
  const reading = await readPolicySet(freshCedar(), texts, AGENT_VOCABULARY);
  if (!reading.ok) throw new Error(reading.problems.join());
  let received: unknown = 'nothing';
  const cedar = freshCedar();
  const observed: Cedar = {
    ...cedar,
    statefulIsAuthorized(call) {
      received = call.context;
      return cedar.statefulIsAuthorized(call);
    },
  };
  const live = await LivePolicies.start(reading.set, observed);
  return differences.map((difference, number) => {
    received = 'nothing';
    const query = reviewerQuery({ resource: { type: 'Repo', id: String(number) } });
    const request = cedarRequest({ ...query, context: { ...query.context, ...difference } });
    if (!request.ok) throw new Error(request.problem);
    const evaluation = live.evaluate(request.request);
    return [evaluation.ok ? evaluation.decision : 'error', received];
  });
}

const decisions = (rows: readonly [string, unknown][]): string[] => rows.map(([decision]) => decision);
const calls = (rows: readonly [string, unknown][]): number =>
  rows.filter(([, received]) => received !== 'nothing').length;

describe.each([
  ['without a schema', undefined],
  ['with a schema', SCHEMA],
])('a path, %s', (_title, schema) => {
  it('is a hit if it matches the same patterns as an earlier one', async () => {
    const paths = ['/repos/a', '/repos/b', '/users/a', '/users/b', '/admin', '/repos/c/secret'];
    const rows = await evaluated(
      'context.request.path like "/repos/*" && context.request.path != "/repos/c/secret"',
      paths,
      schema,
    );
    expect(decisions(rows)).toEqual(['allow', 'allow', 'deny', 'deny', 'deny', 'deny']);
    expect(calls(rows)).toBe(3);
  });

  it('is a hit if another text is compared with a pattern', async () => {
    const rows = await evaluated('(if context has onBehalfOf then "a" else "b") like "*"', ['/a', '/b'], schema);
    expect(calls(rows)).toBe(1);
  });

  it('is a hit if no policy reads it', async () => {
    const rows = await evaluated('context.request.method == "POST"', ['/a', '/b', '/c'], schema);
    expect(decisions(rows)).toEqual(['allow', 'allow', 'allow']);
    expect(calls(rows)).toBe(1);
  });

  it.each([
    'context.request.path like "/a*" && ["/a"].contains(context.request.path)',
    'context.request.path == context.request.method || context.request.path like "*"',
    'context.request == {method: "POST", path: "/a"}',
    '(if context has onBehalfOf then context.request.path else "") like "/a"',
    `context.request.path like "/" || ${Array.from({ length: 15 }, (_, row) => `(${Array.from({ length: 19 }, (_item, column) => `context.request.path == "${row} ${column}"`).join(' || ')})`).join(' || ')}`,
  ])('is evaluated if a policy also reads it in another way: %#', async (condition) => {
    expect(calls(await evaluated(condition, ['/a', '/b', '/a'], schema))).toBe(2);
  });
});

describe.each([
  ['without a schema', undefined],
  ['with a schema', SCHEMA],
])('a user, %s', (_title, schema) => {
  const users = ['ann', 'bob', 'cid', 'ann', 'dan'].map((onBehalfOf) => ({ onBehalfOf }));

  it('is a hit if policies compare it with others', async () => {
    const condition =
      'context has onBehalfOf && context.onBehalfOf != User::"ann" && User::"bob" != context.onBehalfOf';
    const rows = await evaluatedEach(condition, users, schema);
    expect(decisions(rows)).toEqual(['deny', 'deny', 'allow', 'deny', 'allow']);
    expect(calls(rows)).toBe(3);
  });

  it('is a hit if no policy reads it', async () => {
    expect(calls(await evaluatedEach('context.depth < 9', users, schema))).toBe(1);
  });

  it.each([
    '[User::"ann"].contains(context.onBehalfOf)',
    'context.onBehalfOf == (if context.proof == "issuer" then User::"ann" else User::"bob")',
  ])('is evaluated if a policy reads it in another way: %#', async (condition) => {
    const rows = await evaluatedEach(`context has onBehalfOf && ${condition}`, users, schema);
    expect(decisions(rows)).toEqual(['allow', 'deny', 'deny', 'allow', 'deny']);
    expect(calls(rows)).toBe(4);
  });
});

describe.each([
  ['without a schema', undefined],
  ['with a schema', SCHEMA],
])('a scope, %s', (_title, schema) => {
  const scopes = [['a', 'b'], ['b', 'c', 'a'], ['c'], [], ['b', 'd']].map((scope) => ({ scope }));

  it('is a hit if it contains the same of what policies ask for', async () => {
    const rows = await evaluatedEach('context.scope.contains("a") && context.scope.contains("b")', scopes, schema);
    expect(decisions(rows)).toEqual(['allow', 'allow', 'deny', 'deny', 'deny']);
    expect(calls(rows)).toBe(3);
  });

  it.each(['context.scope.isEmpty()', '["a", "b"].containsAll(context.scope)', 'context.scope == ["b", "a"]'])(
    'is evaluated if a policy reads it in another way: %#',
    async (condition) => {
      expect(calls(await evaluatedEach(`context.scope.contains("a") || ${condition}`, scopes, schema))).toBe(5);
    },
  );
});

describe.each([
  ['without a schema', undefined],
  ['with a schema', SCHEMA],
])('authorization details, %s', (_title, schema) => {
  const many = Array.from({ length: 300 }, (_, number) => `privilege ${number}`);
  const details = { types: ['Repo', ...many], privileges: many, actions: [...many, 'read'] };

  it('reach Cedar as the texts that a policy asks for, however many there are', async () => {
    const condition =
      '(if context has authorizationDetails then context.authorizationDetails.types.contains("Repo") || context.authorizationDetails.types.contains("none") else true) && context.scope.contains("a")';
    const rows = await evaluatedEach(condition, [{ authorizationDetails: details, scope: ['a', ...many] }], schema);
    expect(decisions(rows)).toEqual(['allow']);
    const [[, received] = []] = rows;
    expect(received).toMatchObject({ scope: ['a'], authorizationDetails: { types: ['Repo'] } });
    expect(JSON.stringify(received)).not.toContain('privilege ');
  });

  it.each([
    'context.authorizationDetails.actions.containsAny(["privilege 7"])',
    'context.authorizationDetails.actions.contains(context.proof) || context.authorizationDetails.actions.contains("read")',
    '["read"].containsAny(context.authorizationDetails.actions)',
  ])('reach Cedar whole if a policy reads them in another way: %#', async (condition) => {
    const read = `if context has authorizationDetails.actions then ${condition} else true`;
    const [[decision, received] = []] = await evaluatedEach(read, [{ authorizationDetails: details }], schema);
    expect(decision).toBe('allow');
    expect(received).toMatchObject({ authorizationDetails: { actions: details.actions } });
  });
});

it('Cedar receives only the members of a record that a policy reads', async () => {
  const [row] = await evaluated('context.request.path like "/a*" && context.depth < 9', ['/a']);
  expect(row).toEqual(['allow', { depth: 1, request: { path: '/a' } }]);
});
