import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkPolicies } from '../../../src/policy/lint/check.js';
import { DRAFTS, REPO_SCHEMA } from '../query.js';

const root = await mkdtemp(join(tmpdir(), 'countersign-check-'));
afterAll(() => rm(root, { recursive: true }));

let count = 0;
async function folder(policies: string, schema?: string): Promise<string> {
  const path = join(root, String(count++));
  await mkdir(path);
  await writeFile(join(path, 'a.cedar'), policies);
  if (schema !== undefined) await writeFile(join(path, 's.cedarschema'), schema);
  return path;
}

/** What is found besides the missing schema, as `line severity code`. */
async function found(policies: string, schema?: string): Promise<string[]> {
  const { findings } = await checkPolicies(await folder(policies, schema));
  return findings
    .filter(({ code }) => code !== 'no-schema')
    .map(({ line, severity, code }) => `${line} ${severity} ${code}`);
}

const ALL = 'principal, action, resource';
const TYPED = `entity Repo = { team?: String }; entity Path; action "writing";
action "pr.create" in [Action::"writing"] appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`;

describe('checkPolicies', () => {
  it('finds nothing where nothing is wrong, and a missing schema', async () => {
    expect(await checkPolicies(await folder(DRAFTS, REPO_SCHEMA))).toEqual({ policies: 1, findings: [] });
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
      'the same in other words',
      `@id("x") permit(principal, action, resource is A) when { context.depth == 1 // one
 };
permit(principal, action, resource is A) when { context.depth  ==  1 };`,
      undefined,
      ['3 warning duplicate'],
    ],
    [
      'a condition more',
      `permit(principal, action, resource is A) when { context.depth == 1 && context.proof == "x" };
permit(principal, action, resource is A) when { context.depth == 1 };`,
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
permit(principal in Role::"a", action == Action::"y", resource == B::"b") when { context.depth == 1 };`,
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
    ['context has authorizationDetails && context.authorizationDetails.types.contains("x")', false],
    ['context has authorizationDetails && context.authorizationDetails.actions.contains("x")', true],
    ['ip(context.request.path).isLoopback()', true],
    ['ip("127.0.0.1").isLoopback()', false],
    ['!(!(resource has a && resource has b)) && resource.b == resource.a', false],
    ['resource["a b"] == 1', true],
    ['context["scope"].contains("a") && context. request .path == "a.b[0]"', false],
    ['context.scope == [resource.scope]', true],
    ['decimal(context.proof).lessThan(decimal("1.0"))', true],
    ['resource.hasTag("a") && resource.getTag("a") == 1', false],
    ['resource.hasTag("a") && resource.getTag("b") == 1', true],
  ])('D3 says whether a forbid can err: %s', async (condition, can) => {
    const policies = `forbid(principal, action, resource) when { ${condition} };`;
    expect(await found(policies)).toEqual(can ? ['1 warning may-err'] : []);
  });

  it('D3 takes what earlier clauses ask for', async () => {
    expect(await found(`forbid(${ALL}) when { resource has a } when { resource.a };`)).toEqual([]);
    expect(await found(`forbid(${ALL}) unless { !(resource has a) } when { resource.a };`)).toEqual([]);
    expect(await found(`forbid(${ALL}) unless { resource has a } when { resource.a };`)).toHaveLength(1);
  });

  it('D3 tells, with a schema too, of an entity that comes without its record', async () => {
    const policy = `forbid(${ALL}) when { context has onBehalfOfAgent && context.onBehalfOfAgent.capabilities.isEmpty() };`;
    expect(await found(policy, TYPED)).toEqual(['1 warning may-err']);
    expect(await found(`forbid(${ALL}) when { resource has team && resource.team == "x" };`, TYPED)).toEqual([]);
  });

  it('names file, line and policy, and sees all policies among many', async () => {
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

  it('does not read a folder that is not there', async () => {
    await expect(checkPolicies(join(root, 'none'))).rejects.toThrow(/cannot be read/);
  });
});
