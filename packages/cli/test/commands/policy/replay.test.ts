import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type AuditEvent, cedarFromDirectory } from '@countersign/core';
import { type CliResult, runCli } from '../../run-cli.js';
import { decision, outcome, refusedRequest, temporaryFolder, writeLog } from '../audit/write-log.js';

const old = `@id("reviewers") permit(principal in Role::"reviewer", action == Action::"pr.create", resource)
when { context.scope.contains("pr:write") };`;
const folder = temporaryFolder();
const log = folder.file('log');
const agents = folder.file('agents.json');
const denied = { decision: 'deny', code: 'policy_denied', policies: [] } as const;

beforeAll(async () => {
  mkdirSync(folder.file('old'));
  writeFileSync(folder.file('old/pulls.cedar'), old);
  const { policySet } = (await cedarFromDirectory(folder.file('old'), { watch: false })).decide({} as never);
  await writeLog(log, [
    decision(0),
    outcome(0),
    decision(1),
    decision(2, { ...denied, action: 'pr.merge' }),
    decision(3, { decision: 'deny', code: 'insufficient_scope' }),
    decision(4, { actor: { id: 'agent-b', keyId: 'key-of-b' } }),
    refusedRequest(5),
    decision(6, { decision: 'would_refuse', code: 'approval_required', action: 'pr.merge' }),
    // Its own policies said so, by something that is not in the log.
    decision(7, { ...denied, policySet }),
  ]);
  const key = { publicKey: 'x', capabilities: ['pr:write'] };
  writeFileSync(
    agents,
    JSON.stringify([
      { agent_id: 'agent-a', roles: ['reviewer'], ...key },
      { id: 'agent-c', ...key },
    ]),
  );
});
// Files that were written during the last second are awaited.
beforeAll(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 }));
afterAll(() => {
  vi.useRealTimers();
  folder[Symbol.dispose]();
});

async function replay(policies: string, ...options: string[]): Promise<CliResult> {
  const path = folder.file(`policies-${Math.random()}`);
  mkdirSync(path);
  writeFileSync(join(path, 'pulls.cedar'), policies);
  const of = options.includes('--log') ? [] : ['--log', log];
  return await runCli(['policy', 'replay', path, ...of, ...options]);
}

it('nothing differs by the policies that decided, and what cannot be told is counted', async () => {
  const same = await replay(old, '--agents', agents, '--action', 'pr.create');
  expect(same).toEqual({
    code: 3,
    out: '0 of 2 decisions would differ. 2 cannot be told.\n',
    err: `1 record not replayed: refused before policy was asked.
1 record cannot be told: their agents, and so their roles, are not in --agents.
1 record cannot be told: these very policies decided otherwise then.
A log has no attributes or parents of resources, and no authorization details.
`,
  });
});

it('whether fewer people would have to approve cannot be told', async () => {
  const fewer = '@id("any") @approval("interns") permit(principal, action == Action::"pr.merge", resource);';
  const { code, out, err } = await replay(fewer, '--agents', agents, '--action', 'pr.merge');
  expect([code, out]).toEqual([3, expect.stringContaining(' 1 cannot be told.')]);
  expect(err).toContain('1 record cannot be told: people had to approve, and have to now; a log does not say who.');
});

it('decisions that would differ are shown together, by who, what and which policies', async () => {
  const open = '@id("all") permit(principal, action, resource) when { context has onBehalfOf };';
  const closed = '@id("never") forbid(principal, action == Action::"pr.create", resource);';
  const { code, out } = await replay(`${open}\n${closed}`, '--agents', agents);
  expect(code).toBe(3);
  expect(out).toBe(`COUNT  WAS       NOW       WHO, WHAT
    2  allow     deny      agent-a: pr.create on Repo::"acme/api", first in
                           record 2; by pulls.cedar#never
    1  deny      allow     agent-a: pr.merge on Repo::"acme/api", first in
                           record 5; by pulls.cedar#all
    1  approval  allow     agent-a: pr.merge on Repo::"acme/api", first in
                           record 9; by pulls.cedar#all
4 of 5 decisions would differ. 1 cannot be told.
`);
});

it('agents have no roles when no file of agents is given', async () => {
  const { code, out, err } = await replay(old, '--json', '--actor', 'agent-a');
  expect(code).toBe(3);
  expect(JSON.parse(out)).toMatchObject({
    replayed: 5,
    changes: [
      { was: 'allow', now: 'deny', count: 2, actor: 'agent-a', policies: [] },
      { was: 'approval', now: 'deny' },
    ],
  });
  expect(err).toBe('');
  expect((await replay(old)).err).toContain('Without --agents, no agent has a role');
});

it('it is green only when each decision was put to the policies', async () => {
  expect(
    await replay(old, '--agents', agents, '--action', 'pr.create', '--until', '2026-11-24T11:00:03Z'),
  ).toMatchObject({
    code: 0,
    out: '0 of 2 decisions would differ.\n',
  });
  const none = await replay(old, '--since', '2027-01-01');
  expect(none).toMatchObject({ code: 3, out: '0 of 0 decisions would differ.\n' });
});

it.each(['permit(principal, action, resource);', 'forbid(principal, action, resource);'])(
  'decisions cannot be told when the schema needs an attribute: %s',
  async (policy) => {
    const path = folder.file(`schema-${Math.random()}`);
    mkdirSync(path);
    writeFileSync(join(path, 'pulls.cedar'), policy);
    writeFileSync(
      join(path, 'app.cedarschema'),
      `entity Repo = { archived: Bool };
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`,
    );
    const result = await runCli(['policy', 'replay', path, '--log', log, '--actor', 'agent-a']);
    expect(result).toMatchObject({ code: 3, out: '0 of 0 decisions would differ. 5 cannot be told.\n' });
    expect(result.err).toContain(
      '5 records cannot be told: the policies or their schema need what a log does not have.',
    );
  },
);

const everything = 'permit(principal, action, resource);';

it('decisions cannot be told when a policy reads what a log does not have', async () => {
  const cases = [
    `${everything} forbid(principal, action, resource in Tenant::"acme");`,
    `${everything} forbid(principal, action, resource) when { resource has secret };`,
    `${everything} forbid(principal, action, resource) when { context has authorizationDetails };`,
    `${everything} @approval("people") permit(principal, action, resource in Tenant::"acme");`,
    'permit(principal, action, resource) unless { resource has secret };',
    'permit(principal, action, resource is Repo in Tenant::"acme");',
    'permit(principal, action, resource // of the tenant\n in Tenant::"acme");',
    `${everything} forbid(principal, action, resource) when { resource // may be one\n has secret };`,
    `${everything} forbid(principal, action, resource) when { {r: resource}.r has secret };`,
  ];
  await Promise.all(
    cases.map(async (policies) => {
      const result = await replay(policies, '--agents', agents, '--action', 'pr.create');
      expect(result, policies).toMatchObject({ code: 3, out: '0 of 0 decisions would differ. 4 cannot be told.\n' });
      expect(result.err).toContain('3 records cannot be told: the policies or their schema need what a log');
    }),
  );
});

it('decisions are told when what a log does not have cannot change them', async () => {
  const cases = [
    [`${everything} forbid(principal, action == Action::"x", resource) when { resource has secret };`, 0],
    [`${everything} forbid(principal, action in [Action::"x"], resource in Tenant::"a");`, 0],
    [`${everything} forbid(principal == Agent::"b", action, resource in Tenant::"a");`, 0],
    [`${everything} forbid(principal, action, resource is Doc) when { resource.secret };`, 0],
    [`${everything} forbid(principal, action, resource == Repo::"b") when { resource.secret };`, 0],
    [`${everything} permit(principal, action, resource in Tenant::"acme");`, 0],
    ['forbid(principal, action, resource); permit(principal, action, resource in Tenant::"acme");', 2],
  ] as const;
  await Promise.all(
    cases.map(async ([policies, differ]) => {
      const { out } = await replay(policies, '--agents', agents, '--until', '2026-11-24T11:00:02Z');
      expect(out, policies).toMatch(new RegExp(`(^|\n)${differ} of 2 decisions would differ\\.\n$`));
    }),
  );
});

it('decisions are told when entities.json lists the resource', async () => {
  const path = folder.file('listed');
  mkdirSync(path);
  writeFileSync(join(path, 'pulls.cedar'), `${everything} forbid(principal, action, resource in Tenant::"acme");`);
  const acme = { type: 'Tenant', id: 'acme' };
  writeFileSync(join(path, 'entities.json'), JSON.stringify([{ type: 'Repo', id: 'acme/api', parents: [acme] }]));
  const { out } = await runCli(['policy', 'replay', path, '--log', log, '--until', '2026-11-24T11:00:02Z']);
  expect(out).toContain('2 of 2 decisions would differ.\n');
});

it('lists cannot be told: their rows are not in a log', async () => {
  const lists = folder.file('lists');
  await writeLog(lists, [decision(0), decision(1, { filtered: { asked: 2, permitted: 2, resources: [] } })]);
  const { code, out, err } = await replay(everything, '--log', lists);
  expect([code, out]).toEqual([3, '0 of 1 decision would differ. 1 cannot be told.\n']);
  expect(err).toContain('1 record cannot be told: lists, whose rows are not in a log.');
});

/** A log of a guard with `subjectMustAlsoBePermitted`. */
async function subjectsLog(...more: readonly AuditEvent[]): Promise<string> {
  const path = folder.file(`subjects-${Math.random()}`);
  const subject = { id: 'user_1', type: 'user', issuer: 'https://id.acme.dev', mustBePermitted: true } as const;
  await writeLog(path, [decision(0, { subject }), ...more]);
  return path;
}

const agentsOnly = 'permit(principal is Agent, action, resource);';
const members = '@id("members") permit(principal in Group::"members", action, resource) when { context.depth == 0 };';

it('a decision differs when the policies permit the agent, and not the user who must be permitted too', async () => {
  const subjects = await subjectsLog();
  const own = { id: 'agent-a', type: 'agent' } as const;
  const alone = [decision(1, { subject: own, chain: [{ ...own, proof: 'signature', scope: ['pr:write'] }] })];
  expect(await replay(agentsOnly, '--log', await subjectsLog(...alone))).toMatchObject({
    code: 3,
    out: expect.stringContaining('1 of 2 decisions would differ.'),
  });
  const path = folder.file('members');
  mkdirSync(path);
  writeFileSync(join(path, 'a.cedar'), `${agentsOnly}\n${members}`);
  const listed = (groups: readonly string[]): void => {
    const parents = groups.map((id) => ({ type: 'Group', id }));
    writeFileSync(join(path, 'entities.json'), JSON.stringify([{ type: 'User', id: 'user_1', parents }]));
  };
  listed(['members']);
  expect(await runCli(['policy', 'replay', path, '--log', subjects])).toMatchObject({
    code: 0,
    out: '0 of 1 decision would differ.\n',
  });
  listed([]);
  expect((await runCli(['policy', 'replay', path, '--log', subjects])).out).toContain('1 of 1 decision would differ.');
  const explained = await runCli(['policy', 'explain', path, '--log', subjects, '--record', '2']);
  expect(explained).toMatchObject({ code: 0, out: expect.stringMatching(/^Denied.*user_1/) });
});

it('a decision cannot be told when only what a log does not have permits the subject', async () => {
  const ofDocument = 'permit(principal is User, action, resource) when { resource has open };';
  const result = await replay(`${agentsOnly} ${ofDocument}`, '--log', await subjectsLog());
  expect(result).toMatchObject({ code: 3, out: '0 of 0 decisions would differ. 1 cannot be told.\n' });
});

it('a subject that is an agent has the roles of --agents', async () => {
  const hop = { type: 'agent', proof: 'signature', scope: ['pr:write'] } as const;
  const from = (name: string): Partial<AuditEvent> => ({
    subject: { id: name, type: 'agent', mustBePermitted: true },
    chain: [
      { ...hop, id: name },
      { ...hop, id: 'agent-a' },
    ],
  });
  const path = folder.file('handed-on');
  await writeLog(path, [decision(0, from('agent-c')), decision(1, from('agent-x'))]);
  const roles = 'permit(principal in Role::"reviewer", action, resource);';
  const { out, err } = await replay(roles, '--log', path, '--agents', agents);
  expect(out).toContain('1 of 1 decision would differ. 1 cannot be told.\n');
  expect(err).toContain('1 record cannot be told: their agents');
  expect((await replay(everything, '--log', path, '--agents', agents)).out).toContain('0 of 1 decision would differ.');
});

it('an agent known by Web Bot Auth is permitted by nothing but its name', async () => {
  const path = folder.file('web-bot-auth');
  const self = { id: 'agent-a', type: 'agent' } as const;
  const chain = [{ ...self, proof: 'signature', scope: [] }] as const;
  await writeLog(path, [decision(0, { possession: 'web-bot-auth', subject: self, chain, scope: [] })]);
  const told = async (policies: string): Promise<string> =>
    (await replay(policies, '--log', path, '--agents', agents)).out.trimEnd().split('\n').at(-1) ?? '';
  expect(await told(everything)).toBe('0 of 1 decision would differ.');
  expect(await told('permit(principal in Role::"reviewer", action, resource);')).toBe('1 of 1 decision would differ.');
  const forbidden = `${everything} forbid(principal in Role::"reviewer", action, resource);`;
  expect(await told(forbidden)).toBe('1 of 1 decision would differ.');
});

it('decisions cannot be told when the log is redacted, or cut', async () => {
  const redacted = folder.file('redacted');
  const pseudonym = 'pseudonym:1XkQ1XkQ1XkQ1XkQ1XkQ1X';
  await writeLog(redacted, [
    decision(0, { resource: { type: 'Repo', id: '[omitted]' } }),
    decision(1, { resource: { type: 'Repo', id: pseudonym } }),
    decision(2, { subject: { id: pseudonym, type: 'user', issuer: 'https://id.acme.dev' } }),
    decision(3, { request: { id: 'request-3', method: 'POST', path: '/repos/…' } }),
    decision(4, { resource: { type: 'Repo', id: 'x'.repeat(5000) } }),
    decision(5, { scope: Array.from({ length: 5000 }, (_, index) => `pr:write:${index}`) }),
  ]);
  const path = folder.file('all');
  mkdirSync(path);
  writeFileSync(join(path, 'all.cedar'), 'permit(principal, action, resource);');
  const result = await runCli(['policy', 'replay', path, '--log', redacted]);
  expect(result).toMatchObject({ code: 3, out: '0 of 0 decisions would differ. 6 cannot be told.\n' });
  expect(result.err).toContain('6 records cannot be told: redacted or cut.');
});

it('a chain that rests on an issuer is asked about as one, also if an agent signed its last hop', async () => {
  const linked = folder.file('linked');
  const asserted = { type: 'agent', proof: 'issuer', scope: ['pr:write'] } as const;
  const user = { ...asserted, id: 'user_123', type: 'user' } as const;
  const chain = [user, { ...asserted, id: 'agent-b' }, { ...asserted, id: 'agent-a', proof: 'signature' }] as const;
  await writeLog(linked, [decision(0, { chain })]);
  const path = folder.file('issuer');
  mkdirSync(path);
  writeFileSync(join(path, 'all.cedar'), 'permit(principal, action, resource) when { context.proof == "issuer" };');
  const { out } = await runCli(['policy', 'replay', path, '--log', linked, '--agents', agents]);
  expect(out).toBe('0 of 1 decision would differ.\n');
});

it('a wrong folder or file is an error', async () => {
  writeFileSync(folder.file('none.json'), '{}');
  expect(await replay(old, '--agents', folder.file('none.json'))).toMatchObject({ code: 2, out: '' });
  expect((await runCli(['policy', 'replay', folder.path, '--log', folder.file('nowhere')])).code).not.toBe(0);
});

it('a record of the log is explained as the question that it was', async () => {
  const path = folder.file('explained');
  mkdirSync(path);
  writeFileSync(join(path, 'pulls.cedar'), old);
  const explain = (...args: string[]): Promise<CliResult> => runCli(['policy', 'explain', path, ...args]);
  const records = (await runCli(['audit', 'query', log, '--json', '--phase', 'decision'])).out.trim().split('\n');
  const [first, , third, fourth] = records.map((line) => String((JSON.parse(line) as { sequence: number }).sequence));
  const ask = (record = ''): Promise<CliResult> => explain('--log', log, '--record', record, '--agents', agents);
  expect(await ask(first)).toMatchObject({ code: 0, out: expect.stringContaining('reviewers'), err: '' });
  expect(await ask(third)).toMatchObject({ code: 0, out: expect.stringMatching(/^Denied/) });
  expect(await ask(fourth)).toMatchObject({ code: 2, err: expect.stringContaining('is no decision of policy') });
  expect(await ask('999')).toMatchObject({ code: 2, err: expect.stringContaining('has no record 999') });
  const alone = await explain('--log', log, '--record', first ?? '');
  expect(alone.err).toContain('without --agents, the agent has no role');
  expect(await explain('--log', log)).toMatchObject({ code: 2, err: expect.stringContaining('belong together') });
  writeFileSync(join(path, 'pulls.cedar'), 'permit (principal, action, resource);');
  expect(await ask(third)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Allowed/),
    err: expect.stringContaining(`note: record ${third} says deny, `),
  });
  expect((await runCli(['audit', 'query', log, '--decision', 'deny'])).err).toMatch(
    /What policy lacked: countersign policy explain policies --log .*log --record \d+ --agents agents.json\n$/,
  );
});

const ofOwner = `permit(principal, action, resource)
when { context.scope.contains("pr:write") && context has onBehalfOf && resource.owner == context.onBehalfOf };`;
const owned = `entity Repo = { owner: User };
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`;

const owner = (user: string): string => `resource: { attributes: { owner: { type: User, id: ${user} } } }`;

/** Explains the first decision of the log by these policies. */
async function explainFirst(files: Record<string, string>, request?: string, ...args: string[]): Promise<CliResult> {
  const path = folder.file(`explained-${Math.random()}`);
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  const given = request === undefined ? [] : ['--request', '-'];
  const asked = ['--log', log, '--record', '2', '--agents', agents];
  return await runCli(['policy', 'explain', path, ...asked, ...given, ...args], { input: request ?? '' });
}

it.each([
  ['an attribute is needed', { 'a.cedar': ofOwner, 'a.cedarschema': owned }],
  [
    'an attribute may forbid',
    { 'a.cedar': `${everything} forbid(principal, action, resource) when { resource has x };` },
  ],
  ['an attribute may permit', { 'a.cedar': 'permit(principal, action, resource) when { resource has x };' }],
  ['a parent may permit', { 'a.cedar': 'permit(principal, action, resource in Tenant::"acme");' }],
])('a record is not explained when %s, and the log does not have it', async (_name, files) => {
  expect(await explainFirst(files)).toEqual({
    code: 3,
    out: '',
    err: 'countersign: record 2: this cannot be told. The log has no attributes or parents of Repo::"acme/api", and no authorization details: give them with --request.\n',
  });
});

it('a record is explained with what --request adds to it', async () => {
  const files = { 'a.cedar': ofOwner, 'a.cedarschema': owned };
  const allowed = await explainFirst(files, owner('user_1'));
  expect(allowed).toMatchObject({ code: 0, out: expect.stringMatching(/^Allowed: .* on Repo::"acme\/api"/), err: '' });
  const denied = await explainFirst(files, owner('user_2'));
  expect(denied).toMatchObject({ code: 0, out: expect.stringMatching(/^Denied/) });
  expect(denied.err).toBe('countersign: note: record 2 says allow, by other roles, facts or at another time\n');
  const inTenant = { 'a.cedar': 'permit(principal, action, resource in Tenant::"acme");' };
  const parents = `resource: { type: Repo, id: acme/api, parents: ['Tenant::"acme"'] }`;
  expect((await explainFirst(inTenant, parents)).out).toMatch(/^Allowed/);
  const limited = {
    'a.cedar': `${everything} forbid(principal, action, resource)
when { context has authorizationDetails.actions && !context.authorizationDetails.actions.contains("merge") };`,
  };
  expect((await explainFirst(limited, 'authorizationDetails: { actions: [create] }')).out).toMatch(/^Denied/);
});

it.each([
  ['resource: \'Repo::"other"\'', [], 'the record is about Repo::"acme/api"'],
  ['resource: { id: other, attributes: {} }', [], 'the record is about Repo::"acme/api"'],
  ['scope: [a]', [], "'scope' is not known. There are: resource, authorizationDetails"],
  [undefined, ['--scope', 'a'], "the record says this itself: leave out 'scope'"],
  [undefined, ['--actor', 'agent-a'], "the record says this itself: leave out 'actor'"],
])('nothing replaces what a record says: %s %j', async (request, args, problem) => {
  const result = await explainFirst({ 'a.cedar': everything }, request, ...args);
  expect(result).toEqual({ code: 2, out: '', err: expect.stringContaining(problem) });
});
