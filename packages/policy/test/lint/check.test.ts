import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkPolicies } from '../../src/lint/check.js';
import { DRAFTS, REPO_SCHEMA } from '../query.js';

const root = await mkdtemp(join(tmpdir(), 'countersign-check-'));
afterAll(() => rm(root, { recursive: true }));

let count = 0;
async function folder(policies: string, schema?: string, entities?: unknown): Promise<string> {
  const path = join(root, String(count++));
  await mkdir(path);
  await writeFile(join(path, 'a.cedar'), policies);
  if (schema !== undefined) await writeFile(join(path, 's.cedarschema'), schema);
  if (entities !== undefined) await writeFile(join(path, 'entities.json'), JSON.stringify(entities));
  return path;
}

/** The findings as `line severity code`, without a missing schema and actions that are never permitted. */
async function found(policies: string, schema?: string): Promise<string[]> {
  const { findings } = await checkPolicies(await folder(policies, schema));
  return findings
    .filter(({ code }) => code !== 'no-schema' && code !== 'never-permitted')
    .map(({ line, severity, code }) => `${line} ${severity} ${code}`);
}

const ALL = 'principal, action, resource';
const TYPED = `entity Repo = { team?: String }; entity Path; action "writing";
action "pr.create" in [Action::"writing"] appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`;

/** Permits that ask for different people, one a line. */
const asking = (many: number, action = 'action == Action::"pr.create"') =>
  Array.from({ length: many }, (_, index) => `@approval("t${index}") permit(principal, ${action}, resource);`).join(
    '\n',
  );

describe('checkPolicies', () => {
  it('reports nothing for a valid folder, and a missing schema', async () => {
    expect(await checkPolicies(await folder(DRAFTS, REPO_SCHEMA.replace(', "pr.merge"', '')))).toEqual({
      policies: 1,
      findings: [],
    });
    expect(await checkPolicies(await folder(DRAFTS))).toMatchObject({
      findings: [{ severity: 'warning', code: 'no-schema' }],
    });
  });

  it.each<[string, string, string | undefined, string[]]>([
    ['a syntax error', '\npermit(principal, action);', undefined, ['2 error invalid']],
    ['a misspelt attribute', `permit(${ALL}) when {\n context.dept == 1 };`, TYPED, ['2 error invalid']],
    [
      'an action that nobody declared',
      'permit(principal, action == Action::"x", resource);',
      TYPED,
      ['1 error invalid'],
    ],
    [
      'a type that the action does not apply to',
      'permit(principal, action, resource is Path);',
      TYPED,
      ['1 error invalid', '1 error unreachable'],
    ],
    ['a misspelt annotation', `\n@aproval("a")\npermit(${ALL});`, TYPED, ['2 error invalid']],
    [
      'an approval that another permit makes vain',
      `@approval("a") permit(principal, action, resource is Repo);\npermit(principal is Agent, action, resource);`,
      undefined,
      [],
    ],
    [
      'an approval that a wider permit makes vain',
      `@approval("a") permit(principal, action == Action::"pr.create", resource);\npermit(principal, action in Action::"writing", resource);`,
      TYPED,
      ['1 error approval-bypassed'],
    ],
    [
      'two permits that ask for other people',
      `@approval("a") permit(principal, action == Action::"pr.create", resource);\n@approval("b") permit(principal, action in Action::"writing", resource);`,
      TYPED,
      [],
    ],
    [
      'more approvals together than one answers, at the last permit',
      `${asking(8, 'action in Action::"writing"')}\n@approval("x") permit(principal, action == Action::"pr.create", resource);`,
      TYPED,
      ['9 error too-many-approvals'],
    ],
    ['more approvals together than one answers, once', asking(10), TYPED, ['10 error too-many-approvals']],
    ['as many approvals together as one answers', asking(8), TYPED, []],
    [
      'as many approvals together as one answers, and one that has expired',
      `${asking(8)} @expires("2020-01-01T00:00:00Z") @approval("x") permit(principal, action == Action::"pr.create", resource);`,
      TYPED,
      ['8 warning expired'],
    ],
    [
      'many approvals that need not apply together',
      `${asking(5, 'action == Action::"a"')}\n${asking(5, 'action == Action::"b"')}`,
      undefined,
      [],
    ],
    [
      'two permits that ask for the same people',
      `@approval("a") permit(principal, action == Action::"pr.create", resource);\n@approval("a") permit(principal, action in Action::"writing", resource);`,
      TYPED,
      ['1 warning overlapping'],
    ],
    [
      'a path that is forbidden, of which there are other spellings',
      [
        `forbid(${ALL}) when { context.request.path == "/admin" };`,
        `permit(principal, action == Action::"a", resource) unless { context.request["path"] like "/admin*" };`,
        `permit(principal, action == Action::"b", resource) when { context.request.path like "/public/*" };`,
        `forbid(principal, action == Action::"http.get", resource == Path::"/admin");`,
        `forbid(${ALL}) when { resource == Path::"/admin" };`,
        `permit(principal, action == Action::"c", resource) when { !(context.request.path like "/admin*") };`,
        `permit(principal, action == Action::"d", resource) when { context.request.path != "/admin" };`,
        `permit(principal, action == Action::"e", resource) when { resource != Path::"/admin" };`,
        `permit(principal, action == Action::"f", resource) when { if context.request.path == "/admin" then false else true };`,
        `permit(principal, action == Action::"g", resource == Path::"/public") when { context.request.method != "PUT" };`,
      ].join('\n'),
      undefined,
      [1, 2, 4, 5, 6, 7, 8, 9].map((line) => `${line} warning forbids-path`),
    ],
    ['false', `\npermit(${ALL}) when { true && false };`, undefined, ['2 error unreachable']],
    ['unless true', `permit(principal, action, resource is A) unless { true };`, undefined, ['1 error unreachable']],
    ['in nothing', 'forbid(principal, action in [], resource);', undefined, ['1 error unreachable']],
    ['a role as principal', 'permit(principal == Role::"r", action, resource);', undefined, ['1 error unreachable']],
    [
      'no user as principal: it may have to be permitted, too',
      'permit(principal is User, action, resource);',
      undefined,
      [],
    ],
    [
      'a forbid that overrules it',
      `forbid(${ALL});\npermit(principal, action, resource is A);`,
      undefined,
      ['2 warning unreachable'],
    ],
    ['a permit of everything', `permit(${ALL}) when { true };`, undefined, ['1 error permit-all']],
    ['no permit of everything under a condition', `permit(${ALL}) when { context.depth == 0 };`, undefined, []],
    [
      'a forbid that history lifts',
      `forbid(${ALL}) unless { context.via.contains(Agent::"a") };`,
      undefined,
      ['1 error invalid'],
    ],
    [
      'the same in other words',
      `@id("x") permit(principal, action, resource is A) when { context.depth <= 1 // one
 };
permit(principal, action, resource is A) when { context.depth  <=  1 };`,
      undefined,
      ['3 warning duplicate'],
    ],
    [
      'a condition more',
      `permit(principal, action, resource is A) when { context.depth <= 1 && context.proof == "x" };
permit(principal, action, resource is A) when { context.depth <= 1 };`,
      undefined,
      ['1 warning overlapping'],
    ],
    [
      'an agent, an action in a group, a resource of a type',
      `permit(principal, action in Action::"writing", resource is Repo);
permit(principal == Agent::"a", action == Action::"pr.create", resource == Repo::"r");`,
      TYPED,
      ['2 warning overlapping'],
    ],
    [
      'no overlap of other roles, actions, resources and effects',
      `permit(principal in Role::"a", action, resource is A);
permit(principal in Role::"b", action, resource is A);
permit(principal in Role::"a", action, resource is B);
forbid(principal in Role::"a", action == Action::"x", resource is A);
permit(principal in Role::"a", action == Action::"y", resource == B::"b") when { context.depth <= 1 };`,
      undefined,
      ['5 warning overlapping'],
    ],
  ])('finds %s', async (_name, policies, schema, expected) => {
    expect(await found(policies, schema)).toEqual(expected);
  });

  it.each<[string, boolean]>([
    ['resource.frozen', true],
    ['resource has frozen && resource.frozen', false],
    ['resource.frozen && resource has frozen', true],
    ['!(resource has frozen) || resource.frozen', false],
    ['resource has frozen || resource.frozen', true],
    ['if resource has a.b then resource.a.b == 1 else false', false],
    ['if resource has a.b then false else resource.a.b == 1', true],
    ['context.depth > 3 && context.request.method == "GET"', false],
    ['context.onBehalfOf == User::"u"', true],
    ['principal.owner == "me"', true],
    ['principal.capabilities.contains("a")', false],
    ['context has authorizationDetails && !context.authorizationDetails.types.contains("x")', false],
    ['ip(context.request.method).isLoopback()', true],
    ['ip("127.0.0.1").isLoopback()', false],
    ['!(!(resource has a && resource has b)) && resource.b == resource.a', false],
    ['resource["a b"] == 1', true],
    ['context["scope"].contains("a") && context. request .method == "a.b[0]"', false],
    ['context.scope == [resource.scope]', true],
    ['decimal(context.proof).lessThan(decimal("1.0"))', true],
    ['resource.hasTag("a") && resource.getTag("a") == 1', false],
    ['resource.hasTag("a") && resource.getTag("b") == 1', true],
  ])('says whether a forbid can err: %s [D3]', async (condition, can) => {
    const policies = `forbid(principal, action, resource) when { ${condition} };`;
    expect(await found(policies)).toEqual(can ? ['1 warning may-err'] : []);
  });

  it('accepts a read that an earlier clause guards [D3]', async () => {
    expect(await found(`forbid(${ALL}) when { resource has a } when { resource.a };`)).toEqual([]);
    expect(await found(`forbid(${ALL}) unless { !(resource has a) } when { resource.a };`)).toEqual([]);
    expect(await found(`forbid(${ALL}) unless { resource has a } when { resource.a };`)).toHaveLength(1);
  });

  it('reports a read of an entity without attributes, also with a schema [D3]', async () => {
    const policy = `forbid(${ALL}) when { context has onBehalfOfAgent && context.onBehalfOfAgent.capabilities.isEmpty() };`;
    expect(await found(policy, TYPED)).toEqual(['1 warning may-err']);
    expect(await found(`forbid(${ALL}) when { resource has team && resource.team == "x" };`, TYPED)).toEqual([]);
  });

  it('names file, line and policy, and checks all policies of many files', async () => {
    const many = Array.from(
      { length: 400 },
      (_, n) => `@id("p${n}") permit(principal == Agent::"a${n}", action, resource is A);`,
    );
    const { policies, findings } = await checkPolicies(
      await folder([...many, '@id("last") permit(principal == Agent::"a7", action, resource == A::"x");'].join('\n')),
    );
    expect(policies).toBe(401);
    expect(findings[0]).toEqual({
      severity: 'warning',
      code: 'overlapping',
      message: 'All that it permits, a.cedar#p7 (a.cedar:8) permits too.',
      file: 'a.cedar',
      line: 401,
      policy: 'a.cedar#last',
    });
  });

  it.each<[string, string, string[]]>([
    ['none', 'permit(principal == Agent::"a", action == Action::"a", resource);', ['b', 'c', 'd']],
    ['a permit of the group', 'permit(principal in Role::"r", action in Action::"g", resource is Repo);', ['b', 'd']],
    ['a permit of any action', 'permit(principal is Agent, action, resource);', ['d']],
    ['a permit of another type of resource', 'permit(principal, action, resource is Path);', ['a', 'c', 'd']],
    ['a permit for users', 'permit(principal == User::"u", action, resource);', ['a', 'b', 'c']],
    ['a forbid', 'forbid(principal, action, resource == Repo::"r");', ['a', 'b', 'c', 'd']],
  ])('tells which actions are never permitted: %s', async (_name, policies, actions) => {
    const schema = `entity Repo, Path; action "g"; action "a" in [Action::"g"] appliesTo { principal: Agent, resource: Repo,
context: AgentContext }; action "b" appliesTo { principal: Agent, resource: [Repo, Path], context: AgentContext };
action "c" in [Action::"g"] appliesTo { principal: Agent, resource: Repo, context: AgentContext };
action "d" appliesTo { principal: User, resource: Repo, context: AgentContext };
namespace N { entity A, B; action "e" appliesTo { principal: A, resource: B }; }`;
    const { findings } = await checkPolicies(await folder(policies, schema));
    const denied = findings.filter(({ code }) => code === 'never-permitted').map(({ message }) => message);
    expect(denied).toEqual(
      actions.map(
        (name) => `No policy permits "${name}": it is always denied. Write a permit, or take it out of the schema.`,
      ),
    );
  });

  it('reports roles and groups that entities.json does not name', async () => {
    const policies = `permit(principal in Role::"revewer", action, resource is A) when { "Role::" == "Role::\\"x\\"" };
permit(principal in Role::"lead", action, resource is B) // Role::"comment"
  unless { context has onBehalfOf && context.onBehalfOf in [Group::"payments", Group::"payroll"] };
forbid(principal in Role::"revewer", action, resource is C) when { principal in N::Role::"other" };`;
    const entities = [
      { type: 'Role', id: 'reviewer', parents: [{ type: 'Role', id: 'lead' }] },
      { type: 'User', id: 'u', parents: [{ type: 'Group', id: 'payments' }] },
    ];
    const named = async (known?: unknown): Promise<unknown> =>
      (await checkPolicies(await folder(policies, undefined, known))).findings
        .filter(({ code }) => code === 'unknown-group')
        .map(({ line, message }) => `${line}: ${message}`);
    expect(await named(entities)).toEqual([
      `1: entities.json names no Role::"revewer". Did you mean 'reviewer'? If an agent has it, name it there, too. 1 more policy names it.`,
      `2: entities.json names no Group::"payroll". Known groups: payments. No user is in it.`,
    ]);
    // Agents bring their own roles; users have only these groups.
    expect(await named(entities.slice(1))).toEqual([expect.stringContaining('Group::"payroll"')]);
    expect(await named(entities.slice(0, 1))).toHaveLength(3);
    expect(await named()).toEqual([]);
  });

  it.each([
    ['principal in Role::"x"', ['Role::"x"']],
    ['principal is Agent in Role::"x"', ['Role::"x"']],
    ['principal // in\n in [Role::"x", N::Role::"y", Group::"z"]', ['Role::"x"', 'Group::"z"']],
    ['context has onBehalfOf && context.onBehalfOf in Group::"x"', ['Group::"x"']],
    ['context has onBehalfOf && context["onBehalfOf"] is User in Group::"x"', ['Group::"x"']],
    ['principal in Role::"known" && !(principal in Role::"x")', ['Role::"x"']],
    // Parents of a resource come from the route or from `entities`.
    ['resource in Group::"x"', []],
    ['resource is A in Group::"x"', []],
    ['resource has principal && resource.principal in Group::"x"', []],
    ['resource has owner && resource.owner == Group::"x"', []],
    ['principal in Group::"owner"', []],
    ['principal in Group::"writer"', []],
    ['"principal in" == "Role::\\"x\\"" && resource in Role::"x"', []],
  ])('checks the roles and groups of the caller and its user against entities.json: %s', async (condition, unknown) => {
    const entities = [
      { type: 'Role', id: 'known' },
      {
        type: 'A',
        id: 'a',
        attributes: { owner: { type: 'Group', id: 'owner' }, all: [{ type: 'Group', id: 'writer' }] },
      },
    ];
    const policies = `permit(principal, action, resource) when { ${condition} };`;
    const { findings } = await checkPolicies(await folder(policies, undefined, entities));
    const reported = findings.filter(({ code }) => code === 'unknown-group').map(({ message }) => message);
    expect(reported).toEqual(unknown.map((name) => expect.stringMatching(`^entities.json names no ${name}\\.`)));
  });

  it('checks the scope of a policy as well as its conditions', async () => {
    const policies = `permit(principal is Agent in Role::"x", action, resource in Group::"y");
permit(principal in Role::"z", action, resource is A in Group::"y");`;
    const { findings } = await checkPolicies(await folder(policies, undefined, [{ type: 'Role', id: 'known' }]));
    const reported = findings.filter(({ code }) => code === 'unknown-group').map(({ line }) => line);
    expect(reported).toEqual([1, 2]);
  });

  it('reports at most 50 names, and the number of the rest', async () => {
    const many = Array.from(
      { length: 60 },
      (_, n) => `permit(principal in Role::"other-${n}", action, resource is A);`,
    );
    const { findings } = await checkPolicies(await folder(many.join('\n'), undefined, [{ type: 'Role', id: 'r' }]));
    const reported = findings.filter(({ code }) => code === 'unknown-group');
    expect(reported).toHaveLength(51);
    expect(reported.at(-1)).toMatchObject({
      line: 51,
      message: 'entities.json names no Role::"other-50", and 9 others that policies name.',
    });
  });

  it('rejects when the folder does not exist', async () => {
    await expect(checkPolicies(join(root, 'none'))).rejects.toThrow(/cannot be read/);
  });
});
