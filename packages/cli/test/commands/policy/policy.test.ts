import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CliResult, runCli } from '../../run-cli.js';

const root = mkdtempSync(join(tmpdir(), 'countersign-policy-'));
// What the commands load when they run would otherwise count as time of the first test.
beforeAll(() => import('@countersign/core'), 120_000);
// Files that were written during the last second are awaited.
beforeAll(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 }));
afterAll(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true });
});

let count = 0;
const fresh = (): string => join(root, String(count++));

function folder(files: Readonly<Record<string, string>>): string {
  const path = fresh();
  mkdirSync(path);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

const SCHEMA = `entity Repo = { frozen?: Bool };
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
`;
const POLICIES = `@id("drafts")
permit (principal in Role::"reviewer", action == Action::"pr.create", resource == Repo::"acme/api")
when { context has onBehalfOf && context.scope.contains("pr:write:draft") };
@id("frozen") forbid (principal, action, resource) when { resource has frozen && resource.frozen };
`;
const MERGES = '@id("merges") permit (principal in Role::"merger", action == Action::"pr.merge", resource is Repo);\n';
const policies = folder({ 'pr.cedar': POLICIES, 'pr.cedarschema': SCHEMA });

const policy = (...argv: readonly string[]): Promise<CliResult> => runCli(['policy', ...argv]);
const given = (input: string, ...argv: readonly string[]): Promise<CliResult> => runCli(['policy', ...argv], { input });

/** Without colours, and no wider than a terminal. */
function expectReadable(out: string): void {
  // eslint-disable-next-line no-control-regex
  expect(out).not.toMatch(/\x1b/);
  expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
}

describe('policy check', () => {
  it('finds nothing where nothing is wrong', async () => {
    const whole = folder({ 'pr.cedar': POLICIES + MERGES, 'pr.cedarschema': SCHEMA });
    expect(await policy('check', whole)).toEqual({ code: 0, out: '3 policies, nothing found.\n', err: '' });
  });

  it('warns of an action that is always denied, and of a misspelt role', async () => {
    const entities = JSON.stringify([{ type: 'Role', id: 'reviewers' }]);
    const lacking = folder({ 'pr.cedar': POLICIES, 'pr.cedarschema': SCHEMA, 'entities.json': entities });
    const { code, out } = await policy('check', lacking);
    expect(code).toBe(0);
    expectReadable(out);
    expect(out).toBe(`pr.cedar:1: warning: unknown-group pr.cedar#drafts
    entities.json names no Role::"reviewer". Did you mean 'reviewers'? If an
    agent has it, name it there, too.
warning: never-permitted
    No policy permits "pr.merge": it is always denied. Write a permit, or take
    it out of the schema.
2 policies: 0 errors, 2 warnings.
`);
  });

  it('names file, line, severity and policy; errors give exit code 3', async () => {
    const bad = folder({
      'a.cedar': `@id("all") permit(principal, action, resource);

@id("frozen") forbid(principal, action == Action::"x", resource) when { resource.frozen };`,
    });
    const { code, out, err } = await policy('check', bad);
    expect({ code, err }).toEqual({ code: 3, err: '' });
    expectReadable(out);
    expect(out).toBe(`a.cedar:1: error: permit-all a.cedar#all
    It permits every agent every action on everything. Name principal, action or
    resource.
a.cedar:3: warning: may-err a.cedar#frozen
    A request without resource.frozen makes it fail, and an error denies, also
    what it should let pass. Ask 'has' first.
warning: no-schema
    There is no *.cedarschema file: no misspelt attribute, action or type can be
    found. countersign policy new writes one.
2 policies: 1 error, 2 warnings.
`);
  });

  it('tells of what stops the start', async () => {
    const misspelt = folder({ 'a.cedar': POLICIES.replace('context.scope', 'context.scop'), 's.cedarschema': SCHEMA });
    const { code, out } = await policy('check', misspelt);
    expect(code).toBe(3);
    expect(out).toMatch(/^a\.cedar:3: error: invalid\n/);
    expect(out).toContain('The policies cannot be put in force: ');
  });

  it('lets warnings pass unless told not to, and prints JSON', async () => {
    const twice = folder({
      'pr.cedar': `${POLICIES}${POLICIES.replaceAll('@id("', '@id("other-')}${MERGES}`,
      's.cedarschema': SCHEMA,
    });
    expect(await policy('check', twice)).toMatchObject({ code: 0 });
    const { code, out } = await policy('check', twice, '--strict', '--json');
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      policies: 5,
      findings: [
        { severity: 'warning', code: 'duplicate', file: 'pr.cedar', line: 5, policy: 'pr.cedar#other-drafts' },
        { severity: 'warning', code: 'duplicate', file: 'pr.cedar', line: 8, policy: 'pr.cedar#other-frozen' },
      ],
    });
  });

  it('reports a file without a policy, and every fault by SHA256SUMS [K1]', async () => {
    const empty = folder({ 'pr.cedar': POLICIES, 'pr.cedarschema': SCHEMA, 'forbids.cedar': '// none\n' });
    expect(await policy('check', empty)).toMatchObject({
      code: 3,
      out: expect.stringMatching(/^forbids\.cedar:1: error: invalid\n {4}there is no policy in this file/),
    });
    const cut = folder({ 'pr.cedar': POLICIES, 'pr.cedarschema': SCHEMA, SHA256SUMS: `${'0'.repeat(64)}  pr.cedar\n` });
    expect(await policy('check', cut)).toEqual({
      code: 3,
      err: '',
      out: [
        'error: invalid\n    pr.cedar does not match its digest in SHA256SUMS.\n',
        'error: invalid\n    SHA256SUMS does not list pr.cedarschema. Write it again, after all other\n',
        '    files: sha256sum *.cedar *.cedarschema > SHA256SUMS\n',
        'The policies cannot be put in force: 2 errors, 0 warnings.\n',
      ].join(''),
    });
  });

  it('says that a folder cannot be read', async () => {
    const { code, out, err } = await policy('check', join(root, 'none'));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^countersign: .*none: the folder cannot be read/);
    expect((await runCli(['policy', 'test', join(root, 'none')])).err).toMatch(/^countersign: .*none: the folder/);
  });
});

const CASES = `- name: a draft for a user
  actor: { id: agent-a, roles: [reviewer] }
  onBehalfOf: user_123
  scope: [pr:write]        # covers pr:write:draft
  action: pr.create
  resource: 'Repo::"acme/api"'
  expect: allow
  policies: [drafts]
- name: not while the repository is frozen
  actor: { id: agent-a, roles: [reviewer], capabilities: [pr:write] }
  onBehalfOf: user_123
  scope: pr:write
  action: pr.create
  resource: { type: Repo, id: acme/api, attributes: { frozen: true } }
  expect: deny
  policies: [pr.cedar#frozen]
- actor: agent-b
  action: pr.merge
  resource: 'Repo::"acme/api"'
  expect: deny
  policies: []
`;

const askedBy = (type: string, by: string): string =>
  `- {actor: {type: ${type}, id: u}, action: x, resource: 'R::"r"', expect: allow, policies: [${by}]}\n`;

describe('policy test', () => {
  it('passes where every decision is as expected', async () => {
    const { code, out, err } = await given(CASES, 'test', policies, '-');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(`RESULT  DECISION  CASE
ok      allow     a draft for a user
ok      deny      not while the repository is frozen
ok      deny      pr.merge on Repo::"acme/api"

3 cases, all as expected.
`);
  });

  it('takes the capabilities of an agent that acts for itself for its scope, as the guard does', async () => {
    const folder = join(root, 'own-scope');
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'policies.cedar'),
      'permit(principal, action, resource) when { context.scope.contains("repo:admin") };',
    );
    const own = `- actor: { id: agent-x, capabilities: [repo:admin] }
  action: repo.delete
  resource: 'Repo::"r"'
  expect: deny
`;
    expect(await given(own, 'test', folder, '-')).toMatchObject({ code: 3 });
    const wider = own.replace('  action', '  scope: [repo:admin, org:admin]\n  action');
    const { code, err } = await given(wider, 'test', folder, '-');
    expect([code, err]).toEqual([2, expect.stringContaining('org:admin, which no capability of the actor covers')]);
  });

  it('tells what needs approval from what is allowed', async () => {
    const text = '@id("merges") @approval("managers") permit(principal, action, resource);';
    const asking = folder({ 'merges.cedar': text });
    const one = `- {actor: agent-a, action: x, resource: 'R::"r"', expect: EXPECTED}\n`;
    const passed = await given(one.replace('EXPECTED', 'approval'), 'test', asking, '-');
    expect(passed).toMatchObject({ code: 0, out: expect.stringContaining('ok      approval  x on R::"r"') });
    const failed = await given(one.replace('EXPECTED', 'allow'), 'test', asking, '-');
    expect(failed).toMatchObject({ code: 3, out: expect.stringContaining('expected allow, but it is approval') });
    expect(failed.out).toContain('1 of managers');
  });

  it('says of each other decision what was expected, and why it is not so', async () => {
    const { code, out } = await given(CASES.replace('[pr:write] ', '[repo:read]'), 'test', policies, '-');
    expect(code).toBe(3);
    expectReadable(out);
    expect(out).toContain(`FAILED  deny      a draft for a user
        Line 1: expected allow by drafts, but it is deny by no policy.
        Denied: Agent::"agent-a" for User::"user_123", pr.create on
          Repo::"acme/api".
        No permit applies. The nearest:
          pr.cedar#drafts (pr.cedar:1)
            scope (pr.cedar:3): context.scope.contains("pr:write:draft")
              does not hold; the scope is repo:read
`);
    expect(out).toContain('3 cases, 1 not as expected.\nDecisive in no case: pr.cedar#drafts.\n');
  });

  it.each([
    ['another policy decided', 'policies: [drafts]', 'policies: [frozen]'],
    ['more decided', 'policies: [drafts]', 'policies: []'],
    ['fewer decided', 'policies: [drafts]', 'policies: [drafts, frozen]'],
  ])('fails if %s', async (_name, from, to) => {
    expect(await given(CASES.replace(from, to), 'test', policies, '-')).toMatchObject({ code: 3 });
  });

  it('says how to come to a file of cases', async () => {
    const { code, out, err } = await policy('test', policies);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toBe(
      `countersign: ${join(policies, 'cases.yaml')}: there is no such file. Write it (countersign policy test --help shows a case), or name another file.\n`,
    );
  });

  it('an error is no deny that was meant', async () => {
    const unknown = CASES.replace('action: pr.merge', 'action: pr.close').replace('  policies: []\n', '');
    const { code, out } = await given(unknown, 'test', policies, '-');
    expect(code).toBe(3);
    expect(out).toMatch(/FAILED {2}error {5}pr\.close on .*\n.*Line 17: expected deny, but it is error\./);
    const expected = unknown.replace(/expect: deny\n$/, 'expect: error\n');
    expect(await given(expected, 'test', policies, '-')).toMatchObject({ code: 0 });
  });

  it('asks about a user, who may have to be permitted, too', async () => {
    const users = folder({
      'u.cedar':
        '@id("user") permit(principal == User::"u", action, resource); @id("agent") permit(principal is Agent, action, resource);',
    });
    expect(await given(askedBy('User', 'user') + askedBy('Agent', 'agent'), 'test', users, '-')).toMatchObject({
      code: 0,
    });
    expect(await given(askedBy('Group', 'user'), 'test', users, '-')).toMatchObject({ code: 2 });
  });

  it('reads cases.yaml in the folder, or JSON, and prints JSON', async () => {
    const own = folder({ 'pr.cedar': POLICIES, 's.cedarschema': SCHEMA, 'cases.yaml': CASES });
    const { code, out } = await policy('test', own, '--json');
    expect(code).toBe(0);
    const { results } = JSON.parse(out) as { results: readonly unknown[] };
    expect(results[1]).toEqual({
      name: 'not while the repository is frozen',
      line: 9,
      ok: true,
      expected: 'deny',
      decided: 'deny',
      expectedPolicies: ['pr.cedar#frozen'],
      policies: ['pr.cedar#frozen'],
    });
    const json = join(own, 'cases.json');
    writeFileSync(json, JSON.stringify([{ actor: 'a', action: 'pr.merge', resource: 'Repo::"x"', expect: 'deny' }]));
    expect(await policy('test', own, json)).toMatchObject({ code: 0 });
  });

  const one = 'actor: a\n  action: pr.merge\n  resource: \'Repo::"x"\'';
  it.each<[string, string, RegExp]>([
    ['no expectation', `- ${one}`, /standard input:1: 'expect' must be allow, approval, deny or error/],
    ['another expectation', `- ${one}\n  expect: denied`, /'expect' must be/],
    ['a misspelt member', `- ${one}\n  scopes: [a]\n  expect: deny`, /:1: 'scopes' is not known/],
    [
      'a misspelt member of the actor',
      `- {actor: {id: a, role: [x]}, action: b, resource: 'R::"x"', expect: deny}`,
      /actor: 'role'/,
    ],
    ['no actor', `- {action: b, resource: 'R::"x"', expect: deny}`, /'actor' is missing/],
    ['no action', `- {actor: b, resource: 'R::"x"', expect: deny}`, /'action' is missing/],
    ['a resource without a type', '- {actor: b, action: c, resource: x, expect: deny}', /'resource' must be like/],
    ['a scope that is no list', `- ${one}\n  scope: {a: b}\n  expect: deny`, /'scope' must be a list of texts/],
    ['a number as name', `- ${one}\n  name: 1\n  expect: deny`, /'name' must be text/],
    ['a proof that is none', `- ${one}\n  proof: hope\n  expect: deny`, /'proof' must be one of/],
    ['policies that are no list', `- ${one}\n  policies: drafts\n  expect: deny`, /'policies' must be a list/],
    ['no cases', '[]', /at least one/],
    ['no list', 'expect: allow', /a list of cases/],
    ['a case that is none', '- x\n', /a case must be an object/],
    ['a member twice', `- ${one}\n  expect: deny\n  expect: allow`, /standard input:5: .*unique/],
    ['what is no YAML', '- [', /standard input:1: /],
    [
      'aliases without end',
      `- &a [x, x, x, x, x, x, x, x, x]\n- &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n- &c [*b, *b, *b, *b, *b, *b, *b, *b]\n- [*c, *c, *c, *c]\n`,
      /standard input: .*alias/,
    ],
  ])('refuses %s: exit code 2', async (_name, cases, message) => {
    const { code, out, err } = await given(cases, 'test', policies, '-');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });
});

const documentAsked = (parents: string, owner: string): string =>
  `- {actor: a, onBehalfOf: user_123, action: document.read, expect: allow, policies: [owner], resource:
    { type: Document, id: d, parents: [${parents}], attributes: { owner: { type: User, id: ${owner} } } } }\n`;

describe('policy explain', () => {
  it('says which policies decided', async () => {
    const argv = ['--actor', 'agent-a', '--role', 'reviewer', '--scope', 'pr:write', '--subject', 'user_123'];
    const request = ['--action', 'pr.create', '--resource', 'Repo::"acme/api"'];
    expect(await policy('explain', policies, ...argv, ...request)).toEqual({
      code: 0,
      out: `Allowed: Agent::"agent-a" for User::"user_123", pr.create on Repo::"acme/api".
Permitted by:
  pr.cedar#drafts (pr.cedar:1)
`,
      err: '',
    });
  });

  it.each([
    [
      ['--scope', 'pr:write,repo:read', '--capability', 'pr:write repo:read'],
      0,
      "countersign: note: no policy asks for the scope 'repo:read'.\n",
    ],
    [
      ['--scope', 'pr:write', '--scope', 'pr:wrote:draft'],
      0,
      "countersign: note: no policy asks for the scope 'pr:wrote:draft'. Did you mean 'pr:write:draft'?\n",
    ],
    [
      ['--scope', 'pr write,'],
      2,
      "countersign: --scope: 'pr write' is not a scope (like pr:write:draft): separate by commas or by spaces, not by both\n",
    ],
    [['--scope', 'pr:write,,a'], 2, 'countersign: --scope: a scope is empty: a comma too many\n'],
    [['--scope', 'pr:write a::b'], 2, "countersign: --scope: 'a::b' is not a scope (like pr:write:draft)\n"],
    [['--capability', 'a::b'], 2, "countersign: --capability: 'a::b' is not a scope (like pr:write:draft)\n"],
  ])('takes scopes separated by spaces or commas, and nothing else: %j', async (scopes, code, err) => {
    const argv = ['--actor', 'agent-a', '--role', 'reviewer', '--subject', 'user_123', ...scopes];
    const request = ['--action', 'pr.create', '--resource', 'Repo::"acme/api"'];
    expect(await policy('explain', policies, ...argv, ...request)).toMatchObject({ code, err });
  });

  it('takes a request from a file, an option before it, and says what is lacking', async () => {
    const { code, out } = await given(
      CASES.split('\n- ')[0]?.replace('- ', '  ') ?? '',
      'explain',
      policies,
      '--request',
      '-',
      '--scope',
      'repo:read',
    );
    expect(code).toBe(0);
    expectReadable(out);
    expect(out).toBe(`Denied: Agent::"agent-a" for User::"user_123", pr.create on Repo::"acme/api".
No permit applies. The nearest:
  pr.cedar#drafts (pr.cedar:1)
    scope (pr.cedar:3): context.scope.contains("pr:write:draft")
      does not hold; the scope is repo:read
`);
  });

  it('prints JSON, also of an error', async () => {
    const asked = '{ actor: a, action: pr.merge, resource: { type: Repo, id: y, attributes: { frozen: 1 } } }';
    const { out } = await given(asked, 'explain', policies, '--request', '-', '--json');
    expect(JSON.parse(out)).toMatchObject({
      decision: 'deny',
      cause: 'error',
      nearest: [],
      errors: [expect.any(String)],
    });
  });

  it('cannot be made to move the cursor by what it quotes', async () => {
    const { out } = await policy(
      'explain',
      policies,
      '--actor',
      'a\u001b[2J\u202e',
      '--action',
      'pr.merge',
      '--resource',
      'Repo::"y"',
    );
    expect(out).toContain('Agent::"a');
    // eslint-disable-next-line no-control-regex
    expect(out).not.toMatch(/[\x1b\u202e]/);
  });

  it.each([
    ['attributes: { a: null }', 'resource.attributes: null'],
    ['attributes: { a: 1.5 }', 'resource.attributes: a number that is no safe integer'],
    ['attributes: { __entity: { type: User, id: u } }', "resource.attributes: the reserved key '__entity'"],
    ['parents: [{ type: Action, id: x }]', 'resource.parents.type: Action is no type of resource'],
  ])('a request that the guard could not put to policy has no decision: %s', async (member, problem) => {
    const asked = join(root, 'request.yaml');
    writeFileSync(asked, `{ actor: a, action: pr.merge, resource: { type: Repo, id: r, ${member} } }`);
    for (const json of [[], ['--json']]) {
      expect(await policy('explain', policies, '--request', asked, ...json)).toEqual({
        code: 2,
        out: '',
        err: `countersign: ${asked}: ${problem}\n`,
      });
    }
  });

  it('takes parents as text or as objects, and entities as attributes where the schema says so', async () => {
    const documents = folder({
      'documents.cedar': `@id("owner") permit(principal, action == Action::"document.read", resource in Folder::"shared")
when { context has onBehalfOf && resource.owner == context.onBehalfOf };`,
      's.cedarschema': `entity Folder; entity Document in [Folder] = { owner: User };
action "document.read" appliesTo { principal: [Agent], resource: [Document], context: AgentContext };`,
    });
    const both =
      documentAsked(`'Folder::"shared"'`, 'user_123') + documentAsked('{ type: Folder, id: shared }', 'user_123');
    expect(await given(both, 'test', documents, '-')).toMatchObject({ code: 0 });
    expect(await given(documentAsked(`'Folder::"other"'`, 'user_123'), 'test', documents, '-')).toMatchObject({
      code: 3,
    });
    expect(await given(documentAsked(`'Folder::"shared"'`, 'user_456'), 'test', documents, '-')).toMatchObject({
      code: 3,
    });
    for (const [parents, problem] of [
      ['Folder', /:1: resource: a parent must be like Folder::"id", or \{ type, id \}/],
      ['{ typ: Folder, id: a }', /:1: resource: parents: 'typ' is not known/],
      ['{ type: Folder }', /:1: resource: parents: 'id' is missing/],
    ] as const) {
      const { code, err } = await given(documentAsked(parents, 'user_123'), 'test', documents, '-');
      expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(problem) });
    }
  });

  it.each([
    ['pr.crate', 'Repo', "the schema has no action 'pr.crate'. Did you mean 'pr.create'?"],
    ['delete', 'Repo', "the schema has no action 'delete'. Known actions: pr.create, pr.merge."],
    ['pr.merge', 'repo', "no action of the schema is on a 'repo'. Did you mean 'Repo'?"],
  ])('a request with a name that the schema does not have has no decision: %s, %s', async (action, type, problem) => {
    const argv = ['--actor', 'a', '--action', action, '--resource', `${type}::"x"`];
    const err = `countersign: the request: ${problem}\n`;
    expect(await policy('explain', policies, ...argv)).toEqual({ code: 2, out: '', err });
    expect(await policy('explain', policies, ...argv, '--json')).toEqual({ code: 2, out: '', err });
    const tested = await given(
      `[{ actor: a, action: ${action}, resource: '${type}::"x"', expect: deny }]`,
      'test',
      policies,
      '-',
    );
    expect(tested.code).toBe(3);
    expect(tested.out.replaceAll(/\s+/g, ' ')).toContain(problem);
  });

  it('without a schema no name is unknown', async () => {
    const bare = folder({ 'pr.cedar': POLICIES });
    const argv = ['--actor', 'a', '--action', 'x', '--resource', 'Y::"z"'];
    expect(await policy('explain', bare, ...argv)).toMatchObject({ code: 0, out: expect.stringMatching(/^Denied/) });
  });

  it('wants a whole request', async () => {
    expect(await policy('explain', policies, '--actor', 'a')).toEqual({
      code: 2,
      out: '',
      err: "countersign: the request: 'action' is missing: say --action\n",
    });
    expect(await policy('explain', policies, '--role', 'a')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--actor'),
    });
    expect(await given('[]', 'explain', policies, '--request', '-')).toMatchObject({ code: 2 });
  });
});

const ROUTES = `# the API
GET /whoami
POST /repos/:owner/:repo/pulls pr.create Repo
GET /invoices invoice.read Dataset
GET /datasets/{id} invoice.read Report
GET /audit-logs/:id
HEAD /audit-logs/:id
DELETE /policies/:id
PATCH /users/:id
OPTIONS /users/:id
`;

describe('policy new', () => {
  it('writes a folder that checks and tests clean', async () => {
    const made = fresh();
    const { code, out } = await given(ROUTES, 'new', made, '--routes', '-');
    expect(code).toBe(0);
    expect(out).toBe(
      ['schema.cedarschema', 'policies.cedar', 'cases.yaml'].map((name) => `${join(made, name)}\n`).join(''),
    );
    expect(await policy('check', made, '--strict')).toMatchObject({ code: 0, out: '6 policies, nothing found.\n' });
    const tested = await policy('test', made);
    expect(tested).toMatchObject({ code: 0, out: expect.stringContaining('18 cases, all as expected.\n') });
    expect(tested.out).not.toContain('Decisive in no case');
    expect(
      readFileSync(join(made, 'schema.cedarschema'), 'utf8'),
    ).toBe(`// The types Agent, Role, User and Group and the type AgentContext are built in.
entity Whoami, Repo, Dataset, Report, AuditLog, Policy;

action "whoami.read" appliesTo { principal: [Agent], resource: [Whoami], context: AgentContext };
action "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
action "invoice.read" appliesTo { principal: [Agent], resource: [Dataset, Report], context: AgentContext };
action "audit-log.read" appliesTo { principal: [Agent], resource: [AuditLog], context: AgentContext };
action "policy.delete" appliesTo { principal: [Agent], resource: [Policy], context: AgentContext };
action "user.update" appliesTo { principal: [Agent], resource: [User], context: AgentContext };
`);
  });

  it('tests each route with the resource of its permit: the path has an id, or it is *', async () => {
    const made = fresh();
    await given('GET /modes\nGET /users/:id\nDELETE /teams/{id}\n', 'new', made, '--routes', '-');
    const cases = readFileSync(join(made, 'cases.yaml'), 'utf8');
    expect([...new Set(cases.match(/(?<=resource: ').*(?=')/g))]).toEqual(['Mode::"*"', 'User::"1"', 'Team::"1"']);
    expect(await policy('test', made)).toMatchObject({ code: 0 });
  });

  it('never writes into a folder that holds something', async () => {
    const taken = folder({ 'notes.txt': 'x' });
    expect(await given(ROUTES, 'new', taken, '--routes', '-')).toMatchObject({ code: 2, out: '' });
    expect(readdirSync(taken)).toEqual(['notes.txt']);
  });

  it.each<[string, string, RegExp]>([
    ['no route', '# none\n\n', /there is no route/],
    ['no method', '/invoices', /standard input:1: write METHOD/],
    ['more than a route', '\nGET /a a.b C d', /standard input:2: write METHOD/],
    ['an action that is none', 'GET /a x"y', /no name for an action/],
    ['a type that is none', 'GET /a a.b C::D', /no name for a type/],
    ['a type that Cedar has', 'GET /a a.b Action', /no name for a type/],
  ])('refuses %s, and writes nothing', async (_name, routes, message) => {
    const never = fresh();
    const { code, out, err } = await given(routes, 'new', never, '--routes', '-');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(() => readdirSync(never)).toThrow();
  });

  it('names what a path is about', async () => {
    const made = fresh();
    const paths = ['/', '/a/:b/*', '/:x', '/boxes', '/statuses/:id', '/news', '/actions/:id', '/v1/teams/:id/address'];
    await given(paths.map((path) => `GET ${path}`).join('\n'), 'new', made, '--routes', '-');
    const text = readFileSync(join(made, 'schema.cedarschema'), 'utf8');
    expect(
      [...text.matchAll(/action "([^"]+)" .*resource: \[(\w+)\]/g)].map(([, action, type]) => `${action} ${type}`),
    ).toEqual([
      'root.read Root',
      'a.read A',
      'box.read Box',
      'status.read Status',
      'news.read News',
      'action.read ActionResource',
      'team.read Team',
    ]);
  });
});
