import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadAgentKey } from '@countersign/agent';
import { agentsFromFile, readPublicKey } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../run-cli.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-keygen-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('keygen', () => {
  it.each(['pem', 'jwk', 'nacl'])(
    'writes a %s that only its owner can read, and prints its registration',
    async (format) => {
      const file = join(folder, `key.${format}`);
      const { code, out, err } = await runCli([
        'keygen',
        '--out',
        file,
        '--id',
        'agent-a',
        '--capabilities',
        'repo:read, pr:write:draft',
        '--format',
        format,
      ]);
      expect(code).toBe(0);
      const key = loadAgentKey(readFileSync(file, 'utf8'));
      expect(JSON.parse(out)).toEqual({
        agent_id: 'agent-a',
        public_key: key.publicKey,
        capabilities: ['repo:read', 'pr:write:draft'],
      });
      expect(err).toContain(key.thumbprint);
      expect(out + err).not.toContain(key.exportJwk().d);
      if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
    },
  );

  it('prints an entry with roles that an API accepts', async () => {
    const file = join(folder, 'roles.key');
    const { out } = await runCli(['keygen', '--out', file, '--id', 'agent-r', '--roles', 'reader, auditor']);
    expect(JSON.parse(out)).toMatchObject({ roles: ['reader', 'auditor'] });
    const agents = join(folder, 'agents-with-roles.json');
    writeFileSync(agents, `[${out}]`);
    const directory = await agentsFromFile(agents);
    const { public_key: publicKey } = JSON.parse(out) as { public_key: string };
    const key = readPublicKey(publicKey);
    expect(key.ok && (await directory.findByThumbprint(key.thumbprint))).toMatchObject({
      agent: { roles: ['reader', 'auditor'] },
    });
    await directory.close?.();
  });

  it.each(['b.pem', 'keys/b.pem', 'keys/[a] *.pem'])(
    'names the line of .gitignore that keeps the key out of git: %s',
    async (name) => {
      const repository = mkdtempSync(join(folder, 'repository-'));
      const git = (...args: string[]): string => execFileSync('git', ['-C', repository, ...args], { encoding: 'utf8' });
      git('init', '--quiet');
      mkdirSync(join(repository, 'keys'));
      const { err } = await runCli(['keygen', '--out', join(repository, name)]);
      const [, line = '', file = ''] = /add the line '(.*)' to (.*)\.\n/.exec(err) ?? [];
      expect(realpathSync(dirname(file))).toBe(realpathSync(repository));
      writeFileSync(file, `${line}\n`);
      expect(git('status', '--porcelain', '--untracked-files=all')).toBe('?? .gitignore\n');
    },
  );

  it('names no line of .gitignore for a key outside the repository', async () => {
    const { code, err } = await runCli(['keygen', '--out', join(folder, 'outside.pem')]);
    expect(code).toBe(0);
    expect(err).not.toContain('git');
  });

  it.each([[[]], [['--force']]])('says that a folder is missing: %j', async (force) => {
    const missing = join(folder, 'none');
    const { code, err } = await runCli(['keygen', '--out', join(missing, 'b.pem'), ...force]);
    expect({ code, err }).toEqual({ code: 1, err: `countersign: there is no folder ${missing}. Make it first.\n` });
  });

  it('refuses an invalid role', async () => {
    const { code, err } = await runCli(['keygen', '--out', join(folder, 'no.key'), '--roles', 'a\u0000b']);
    expect(code).toBe(2);
    expect(err).toContain('is no name of a role');
    expect(existsSync(join(folder, 'no.key'))).toBe(false);
  });

  it.each(['repo:read pr:write', 'repo:read,pr:write', ' repo:read,\n pr:write '])(
    'takes scopes separated by spaces or commas: %j',
    async (scopes) => {
      const file = join(folder, `${Buffer.from(scopes).toString('hex')}.key`);
      const { out } = await runCli(['keygen', '--out', file, '--id', 'a', '--capabilities', scopes]);
      expect(JSON.parse(out)).toMatchObject({ capabilities: ['repo:read', 'pr:write'] });
    },
  );

  it('prints a first agents.json that an API accepts', async () => {
    const { out, err } = await runCli(['keygen', '--out', join(folder, 'first.key'), '--id', 'agent-a']);
    const first = err.split('\n').find((line) => line.startsWith('[')) ?? '';
    expect(JSON.parse(first)).toEqual([JSON.parse(out)]);
    const file = join(folder, 'agents.json');
    writeFileSync(file, first);
    const agents = await agentsFromFile(file);
    await agents.close?.();
  });

  it('adds the entry to agents.json, which an API takes as it is', async () => {
    const agents = join(folder, 'grown.json');
    const make = (id: string) => runCli(['keygen', '--out', join(folder, `${id}.key`), '--id', id, '--agents', agents]);
    const first = await make('grown-a');
    expect(JSON.parse(readFileSync(agents, 'utf8'))).toEqual([JSON.parse(first.out)]);
    chmodSync(agents, 0o640);
    const second = await make('grown-b');
    expect(JSON.parse(readFileSync(agents, 'utf8'))).toEqual([JSON.parse(first.out), JSON.parse(second.out)]);
    expect(second.err).toContain(`The entry above is in ${agents} already.`);
    if (process.platform !== 'win32') expect(statSync(agents).mode & 0o777).toBe(0o640);
    await (await agentsFromFile(agents)).close?.();
  });

  it('loses no entry and leaves no key behind when several add one at once', async () => {
    const agents = join(folder, 'busy.json');
    writeFileSync(agents, '[]');
    const make = async (id: string) => ({
      id,
      ...(await runCli(['keygen', '--out', join(folder, `${id}.key`), '--id', id, '--agents', agents])),
    });
    const made = await Promise.all(['busy-a', 'busy-b', 'busy-c', 'busy-d', 'busy-e', 'busy-f'].map(make));
    const done = made.filter(({ code }) => code === 0).map(({ id }) => id);
    expect(done).not.toEqual([]);
    const entries = JSON.parse(readFileSync(agents, 'utf8')) as readonly { agent_id: string }[];
    expect(entries.map((entry) => entry.agent_id).toSorted()).toEqual(done.toSorted());
    for (const { id, code, err } of made) {
      expect(existsSync(join(folder, `${id}.key`))).toBe(code === 0);
      if (code !== 0) expect(err).toContain(`${agents}.lock exists: another keygen changes the agents`);
    }
    expect(existsSync(`${agents}.lock`)).toBe(false);
  });

  it('keeps what somebody else changes in agents.json while it makes the key', async () => {
    const agents = join(folder, 'edited.json');
    const edited = { agent_id: 'edited-a', status: 'suspended' };
    writeFileSync(agents, '[]');
    const { code } = await runCli(
      ['keygen', '--out', join(folder, 'edited.key'), '--id', 'edited-b', '--agents', agents],
      { out: () => writeFileSync(agents, JSON.stringify([edited])) },
    );
    expect(code).toBe(0);
    expect(JSON.parse(readFileSync(agents, 'utf8'))).toMatchObject([edited, { agent_id: 'edited-b' }]);
  });

  it.each([
    ['already holds the agent', '[{"agent_id":"agent-a"}]', /already holds an agent 'agent-a'/],
    ['is no list', '{"agent_id":"agent-b"}', /is no list of agents/],
    ['has its list as a member', '{"agents":[]}', /has its list as the member 'agents'/],
    ['is not JSON', '[', /is not JSON/],
  ])('makes no key when agents.json %s', async (_title, text, why) => {
    const [out, agents] = [join(folder, 'unused.key'), join(folder, 'taken.json')];
    writeFileSync(agents, text);
    expect(await runCli(['keygen', '--out', out, '--id', 'agent-a', '--agents', agents])).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(why) as string,
    });
    expect(existsSync(out)).toBe(false);
    expect(existsSync(`${agents}.lock`)).toBe(false);
    expect(readFileSync(agents, 'utf8')).toBe(text);
  });

  it.each([
    ['repo:read,,x', 'a scope is empty'],
    ['repo:read,', 'a scope is empty'],
    ['repo read,x', "'repo read' is not a scope"],
  ])('takes no list of scopes that can be read in two ways: %j', async (scopes, why) => {
    const { code, out, err } = await runCli(['keygen', '--out', join(folder, 'none.key'), '--capabilities', scopes]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(`--capabilities: ${why}`);
    expect(existsSync(join(folder, 'none.key'))).toBe(false);
  });

  it('derives an id from the key, and warns when the agent has no capabilities', async () => {
    const file = join(folder, 'plain.key');
    const { out, err } = await runCli(['keygen', '--out', file]);
    const { agent_id: id } = JSON.parse(out) as { agent_id: string };
    expect(id).toBe(`agent-${loadAgentKey(readFileSync(file, 'utf8')).thumbprint.slice(0, 8)}`);
    expect(err).toContain('no capabilities');
  });

  it('overwrites a key only with --force, and then the new file is private too', async () => {
    const file = join(folder, 'kept.key');
    writeFileSync(file, 'precious');
    chmodSync(file, 0o644);
    const refused = await runCli(['keygen', '--out', file]);
    expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('--force') as string });
    expect(readFileSync(file, 'utf8')).toBe('precious');
    expect(await runCli(['keygen', '--out', file, '--force'])).toMatchObject({ code: 0 });
    expect(loadAgentKey(readFileSync(file, 'utf8'))).toBeDefined();
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.startsWith('kept'))).toEqual(['kept.key']);
  });

  it.runIf(process.platform !== 'win32')('does not write through a symbolic link', async () => {
    const target = join(folder, 'target');
    const link = join(folder, 'link');
    writeFileSync(target, 'precious');
    symlinkSync(target, link);
    expect(await runCli(['keygen', '--out', link])).toMatchObject({ code: 1 });
    expect(await runCli(['keygen', '--out', link, '--force'])).toMatchObject({ code: 1 });
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  it.each<[string, string[], number]>([
    ['an unknown format', ['--format', 'der'], 2],
    ['a capability that is no scope', ['--capabilities', 'a::b'], 2],
    ['one of several that is no scope', ['--capabilities', 'repo:read a::b'], 2],
    ['an empty id', ['--id', ''], 2],
    ['an id with a space at its end', ['--id', 'agent-a '], 2],
    ['an id that is not in NFC', ['--id', 'agente\u0301'], 2],
    ['an id with a control character', ['--id', 'a\u001b'], 2],
    ['an id that is too long', ['--id', 'x'.repeat(257)], 2],
    ['an unknown option', ['--capability', 'x'], 2],
    ['a folder that does not exist', ['--out', '/no-such-folder-here/key'], 1],
  ])('refuses %s and leaves nothing behind', async (_name, args, code) => {
    const before = readdirSync(folder);
    const result = await runCli(['keygen', '--out', join(folder, 'never'), ...args]);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).not.toMatch(/ {4}at /);
    expect(readdirSync(folder)).toEqual(before);
  });
});
