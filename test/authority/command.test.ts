import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { createAgent, generateAgentKey, loadAgentKey } from '@countersign/agent';
import { describe, expect, it } from 'vitest';
import { trustDomain } from '../support/trust-domain.js';
import { listen, newAgentKey, startAuthority } from './support.js';
import { adminToken, configure, countersign, startCommand } from './support-process.js';

const api = 'https://api.acme.dev';
const world = async (change: object = {}) => await configure({ resources: [{ audience: api }], ...change });

const signIn = {
  issuer: 'https://login.acme.dev',
  clientId: 'authority',
  clientSecretFile: 'secret',
  subjectNamespace: 'acme:',
};

describe('countersign authority', () => {
  it('prints where it listens, and issues tokens that outlive a restart', async () => {
    const { config, issuer, folder } = await world();
    const first = await startCommand(['authority', '--config', config]);
    expect(first.line).toEqual({ url: issuer, issuer });
    const key = generateAgentKey();
    await writeFile(join(folder, 'agent.pem'), key.exportPem(), { mode: 0o600 });
    const added = await countersign(
      ['agents', 'add', 'agent-a', '-a', issuer, '--key', join(folder, 'agent.pem'), '--capabilities', 'repo:read'],
      { COUNTERSIGN_ADMIN_TOKEN: adminToken },
    );
    expect(added.exitCode, added.stderr).toBe(0);
    expect(added.stdout).not.toContain(key.exportJwk().d);
    const agent = await createAgent({ id: 'agent-a', key, authority: issuer });
    await agent.withOwnToken();
    expect(await first.stop('SIGTERM')).toBe(0);

    const second = await startCommand(['authority', '--config', config]);
    await (await createAgent({ id: 'agent-a', key, authority: issuer })).withOwnToken();
    expect(await second.stop('SIGINT')).toBe(0);
    expect(second.err()).not.toContain('countersign:');
  });

  it('keeps a record of what happens, in a log that is whole when it has stopped', async () => {
    const { config, issuer, folder } = await world({ audit: { folder: 'audit', checkpointKey: 'key.pem' } });
    const running = await startCommand(['authority', '--config', config]);
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ id: 'agent-a' });
    expect((await fetch(`${issuer}/admin/invitations`, { method: 'POST', headers, body })).status).toBe(201);
    expect(await running.stop('SIGTERM')).toBe(0);
    const log = join(folder, 'audit');
    const { stdout } = await countersign(['audit', 'query', log, '--phase', 'authority', '--actor', 'agent-a']);
    expect(stdout).toContain('agent.invited');
    expect((await countersign(['audit', 'verify', log])).stdout).toContain('The log is whole');
  });

  it('answers a request that has begun when SIGTERM arrives, and takes no other', async () => {
    const { config, issuer } = await world();
    const running = await startCommand(['authority', '--config', config]);
    const body = '{"id":"agent-a"}';
    const begun = request(`${issuer}/admin/agents`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${adminToken}`,
        'content-type': 'application/json',
        'content-length': body.length,
        expect: '100-continue',
      },
    });
    begun.flushHeaders();
    // The server has the head of the request, and waits for its body.
    await once(begun, 'continue');
    const answered = once(begun, 'response');
    running.process.kill('SIGTERM');
    await refusesConnections(issuer);
    begun.end(body);
    const [response] = (await answered) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(400);
    expect(await running.ended).toBe(0);
  });

  it.each([
    ['an option that does not exist', { resource: [] }, "unknown option 'resource'. Did you mean 'resources'?"],
    [
      'no secret',
      { secretFile: undefined },
      "'secretFile' must name a file with the output of 'openssl rand -base64 32'",
    ],
    ['a secret that is missing', { secretFile: 'none' }, "secretFile: '"],
    ['an issuer that is a number', { issuer: 1 }, "'issuer' must be an https URL"],
    ['a store that does not exist', { store: { mysql: 'x' } }, '\'store\' must be { "sqlite"'],
    [
      'a Postgres that does not answer',
      { store: { postgres: 'postgres://127.0.0.1:1/x' } },
      'the database cannot be used',
    ],
    ['an issuer over plain http', { issuer: 'http://id.acme.dev' }, "'issuer' must be an https URL"],
    ['an address that is none', { listen: 'nowhere' }, "'nowhere' is not like"],
    [
      'users without a sign-in',
      { users: { issuer: 'https://login.acme.dev' } },
      '\'users\' must be { "signIn": { "issuer"',
    ],
    [
      'a sign-in without a secret',
      { users: { signIn: { ...signIn, clientSecretFile: undefined } } },
      'COUNTERSIGN_CLIENT_SECRET',
    ],
    [
      'a secret in the file',
      { users: { signIn: { ...signIn, clientSecret: 'x' } } },
      "name that by 'clientSecretFile'",
    ],
    [
      'a sign-in without a namespace',
      { users: { signIn: { ...signIn, subjectNamespace: '' } } },
      "a 'subjectNamespace' like 'acme:'",
    ],
    ['a log without a folder', { audit: { folder: '' } }, `'audit' must be { "folder": "audit" }`],
    ['a log with a misspelt member', { audit: { folder: 'audit', key: 'x' } }, `optionally with "checkpointKey"`],
    ['a rule for an issuer it does not know', { exchange: [{ agents: ['a'], issuer: 'https://x.dev' }] }, 'issuer'],
  ])('refuses %s, and says what to write', async (_name, change, message) => {
    const { config } = await world(change);
    const { exitCode, stderr, stdout } = await countersign(['authority', '--config', config]);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/createAuthority|^\s+at /m);
  });

  it('refuses a store that another process has', async () => {
    const { config } = await world();
    await startCommand(['authority', '--config', config]);
    const { exitCode, stderr } = await countersign(['authority', '--config', config, '--listen', '0']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('authority.db');
  });
});

/** Until the server has closed its listening socket. */
async function refusesConnections(url: string): Promise<void> {
  for (;;) {
    try {
      await fetch(`${url}/jwks`);
    } catch {
      return;
    }
  }
}

describe('countersign agents', () => {
  it('adds, lists, shows, rotates, suspends, resumes and revokes, one or all with a tag', async () => {
    const { folder } = await world();
    const { issuer } = await startAuthority({ audience: api, adminTokens: [adminToken] });
    const keys = await Promise.all(['a', 'b', 'c'].map(() => newAgentKey()));
    const agents = async (...args: readonly string[]) => {
      const { exitCode, stderr, stdout } = await countersign([
        'agents',
        ...args,
        '--authority',
        issuer,
        '--token-file',
        join(folder, 'admin-token'),
      ]);
      expect(exitCode, stderr).toBe(0);
      return stdout;
    };
    for (const id of ['a', 'b'] as const) {
      const { publicKey } = keys[id === 'a' ? 0 : 1]?.key ?? generateAgentKey();
      await agents('add', `agent-${id}`, '--public-key', publicKey, '--tags', 'ci,night', '--owner', 'team-a');
    }
    expect(await agents('list', '--tag', 'ci')).toBe(
      'agent-a  active  team-a  ci,night\nagent-b  active  team-a  ci,night\n',
    );
    const publicKey = keys[2]?.key.publicKey ?? '';
    await agents('rotate', 'agent-a', '--public-key', publicKey, '--overlap', '60');
    expect((JSON.parse(await agents('show', 'agent-a')) as { keys: unknown[] }).keys).toHaveLength(2);
    expect(await agents('suspend', 'agent-a')).toBe('agent-a\n');
    expect(await agents('suspend', '--tag', 'ci')).toBe('agent-a\nagent-b\n');
    // By its id it stays suspended.
    expect(await agents('resume', '--tag', 'ci')).toBe('agent-b\n');
    expect(JSON.parse(await agents('show', 'agent-a'))).toMatchObject({ suspendedBy: ['id'] });
    expect(await agents('resume', 'agent-a')).toBe('agent-a\n');
    expect(await agents('revoke', 'agent-b')).toBe('agent-b\n');
    expect(JSON.parse(await agents('list', '--json', '--status', 'revoked'))).toMatchObject([{ id: 'agent-b' }]);
  });

  it('keeps workloads out that have not come yet, also after a restart [C7]', async () => {
    const bundle = join((await world()).folder, 'bundle.json');
    await writeFile(bundle, JSON.stringify(trustDomain().bundle()));
    const { config, issuer, folder } = await world({
      spiffe: {
        trustDomains: { 'example.org': { file: bundle } },
        workloads: [{ id: 'spiffe://example.org/ci/*', capabilities: ['repo:read'], tags: ['ci'] }],
      },
    });
    const agents = async (...args: readonly string[]) =>
      await countersign(['agents', ...args, '-a', issuer, '--token-file', join(folder, 'admin-token')]);
    const first = await startCommand(['authority', '--config', config]);
    expect(await agents('suspend', 'spiffe://example.org/ci/*')).toMatchObject({ exitCode: 0, stderr: '0 changed.\n' });
    expect(await agents('suspend', '--tag', 'ci')).toMatchObject({ exitCode: 0 });
    expect(await agents('suspend', 'spiffe://example.org/ci/a')).toMatchObject({ exitCode: 0 });
    expect(await agents('suspend', 'spiffe://example.org/cl/*')).toMatchObject({ exitCode: 1 });
    await first.stop('SIGTERM');
    const second = await startCommand(['authority', '--config', config]);
    expect(await agents('list')).toMatchObject({
      stdout: 'spiffe://example.org/ci/a  suspended  -  ci\n',
      stderr: 'Workloads that come now are kept out: spiffe://example.org/ci/*, tag ci.\n',
    });
    await agents('resume', '--tag', 'ci');
    await agents('resume', 'spiffe://example.org/ci/*');
    expect(await agents('list')).toMatchObject({ stdout: 'spiffe://example.org/ci/a  suspended  -  ci\n', stderr: '' });
    await second.stop('SIGTERM');
  });

  it.each([
    ['a wrong token', ['list'], 'wrong-token', 1, 'does not accept the token'],
    ['no token', ['list'], '', 2, 'Set COUNTERSIGN_ADMIN_TOKEN'],
    ['an agent that is unknown', ['show', 'agent-x'], adminToken, 1, 'there is no such agent'],
    ['an id and a tag', ['suspend', 'agent-x', '--tag', 'ci'], adminToken, 2, 'either one agent, or --tag'],
    ['neither', ['revoke'], adminToken, 2, 'either one agent, or --tag'],
    ['no key', ['add', 'agent-x'], adminToken, 2, '--key and --public-key'],
    ['a time that is none', ['add', 'a', '--public-key', 'x', '--expires', '5'], adminToken, 2, '--expires'],
    ['a path as id', ['revoke', '..'], adminToken, 2, 'is no id'],
  ])('says what is wrong with %s', async (_name, args, token, code, message) => {
    const { issuer } = await startAuthority({ audience: api, adminTokens: [adminToken] });
    const environment = { COUNTERSIGN_ADMIN_TOKEN: token };
    const { exitCode, stderr } = await countersign(['agents', ...args, '--authority', issuer], environment);
    expect([exitCode, stderr]).toEqual([code, expect.stringContaining(message)]);
  });

  it('sends the token of the administrator neither over plain http nor to where it is redirected', async () => {
    const seen: unknown[] = [];
    const elsewhere = await listen((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    const redirects = await listen((_request, response) => {
      response.writeHead(307, { location: elsewhere }).end();
    });
    const environment = { COUNTERSIGN_ADMIN_TOKEN: adminToken };
    const redirected = await countersign(['agents', 'list', '--authority', redirects], environment);
    expect([redirected.exitCode, seen]).toEqual([1, []]);
    const plain = await countersign(['agents', 'list', '--authority', 'http://id.acme.dev'], environment);
    expect([plain.exitCode, plain.stderr]).toEqual([2, expect.stringContaining('https')]);
  });
});

describe('countersign dev', () => {
  it('prints an agent and a user with which a delegated call works at once', async () => {
    let authorization = '';
    const origin = await listen((incoming, response) => {
      authorization = String(incoming.headers.authorization);
      response.end();
    });
    const { line, err, stop } = await startCommand([
      'dev',
      '--listen',
      '0',
      '--api',
      origin,
      '--scope',
      'parcel:read',
      '--scope-match',
      'exact',
    ]);
    const printed = line as { issuer: string; agent: { id: string; privateKey: object }; user: { token: string } };
    const key = loadAgentKey(printed.agent.privateKey as Parameters<typeof loadAgentKey>[0]);
    const agent = await createAgent({ id: printed.agent.id, key, authority: printed.issuer });
    const forUser = await agent.actFor(printed.user.token);
    await forUser.fetch(`${origin}/parcels`);
    const claims = JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()) as object;
    expect(claims).toMatchObject({
      sub: 'dev:alice',
      act: { sub: 'agent-dev' },
      scope: 'parcel:read',
      scope_match: 'exact',
      aud: origin,
    });
    expect(err()).toContain(`agents: await agentsFromAuthority('${printed.issuer}'`);
    expect(err()).toContain(`issuers: [{ issuer: '${printed.issuer}'`);
    const { approvals } = line as { approvals: { url: string; approver: string; groups: string[] } };
    expect(approvals).toEqual({ url: `${printed.issuer}/approvals`, approver: 'dev:rita', groups: ['approvers'] });
    expect(await (await fetch(approvals.url)).text()).toContain('You are signed in as <bdi>rita</bdi>');
    expect(err()).toContain(`and decide on ${approvals.url}`);
    expect(await stop('SIGINT')).toBe(0);
  });

  it.each([
    ['in production', [], { NODE_ENV: 'production' }, 'NODE_ENV=production'],
    ['on another address than loopback', ['--listen', '0.0.0.0:0'], {}, 'only loopback'],
    ['without a scope', ['--listen', '0', '--scope', ''], {}, '--scope'],
    ['with another way to compare scopes', ['--listen', '0', '--scope-match', 'x'], {}, 'Allowed choices'],
    ['with an API that is no URL', ['--listen', '0', '--api', 'x'], {}, "'audience'"],
  ])('refuses to start %s', async (_name, args, environment, message) => {
    const { exitCode, stderr, stdout } = await countersign(['dev', ...args], environment);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });
});

it('countersign authority reads channels, with their secrets from files', async () => {
  const signIn = {
    issuer: 'https://login.acme.dev',
    clientId: 'a',
    clientSecretFile: 'secret',
    subjectNamespace: 'acme:',
  };
  const resources = [{ audience: 'https://api.acme.dev' }];
  const slack = { type: 'slack', name: 'chat' };
  const wrong = await configure({
    resources,
    users: { signIn },
    approvals: { channels: [{ ...slack, url: 'https://x' }] },
  });
  expect((await countersign(['authority', '--config', wrong.config])).stderr).toContain("name that by 'urlFile'");
  const {
    config,
    folder: place,
    issuer,
  } = await configure({
    resources,
    users: { signIn },
    approvals: { groups: { ops: ['acme:rita'] }, channels: [{ ...slack, urlFile: 'slack-url' }] },
  });
  await writeFile(join(place, 'slack-url'), 'https://hooks.slack.example/services/1\n', { mode: 0o600 });
  const running = await startCommand(['authority', '--config', config]);
  const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as object;
  expect(metadata).toMatchObject({ approval_endpoint: `${issuer}/approval` });
  expect(await running.stop()).toBe(0);
});
