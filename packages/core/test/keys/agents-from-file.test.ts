import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigError, type ReloadResult } from '@countersign/common';
import { agentsFromFile } from '../../src/keys/agents-from-file.js';
import type { AgentDirectory } from '../../src/keys/directory.js';
import { fakeTime, hasten } from '../../../common/test/files/hasten.js';
import { putFile } from '../put-file.js';
import { newEd25519Key } from './test-keys.js';
import { nextWarning } from './warnings.js';

const a = { id: 'agent-a', publicKey: newEd25519Key().base64, capabilities: ['repo:read'] };
const b = { id: 'agent-b', publicKey: newEd25519Key().base64 };
const printed = { agent_id: 'agent-b', public_key: b.publicKey, capabilities: [] };

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-agents-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens the file and returns the reloads one by one. */
async function open(
  file: string,
  pollSeconds = 3600,
): Promise<{ agents: AgentDirectory; nextReload: () => Promise<ReloadResult> }> {
  const reloads: ReloadResult[] = [];
  let awaited: ((result: ReloadResult) => void) | undefined;
  const onReload = (result: ReloadResult): void => {
    if (awaited === undefined) reloads.push(result);
    else awaited(result);
    awaited = undefined;
  };
  const agents = await agentsFromFile(file, { onReload, pollSeconds });
  onTestFinished(() => agents.close?.());
  const nextReload = async (): Promise<ReloadResult> =>
    reloads.shift() ??
    (await hasten(
      new Promise<ReloadResult>((resolve) => {
        awaited = resolve;
      }),
    ));
  return { agents, nextReload };
}

async function known(agents: AgentDirectory): Promise<string> {
  const found = await Promise.all(
    ['agent-a', 'agent-b'].map(async (id) => ((await agents.statusOf(id)) === 'active' ? id.at(-1) : '')),
  );
  return found.join('');
}

/** Lists only what keeps the event loop running: timers and watchers. */
function running(): number {
  return process.getActiveResourcesInfo().filter((kind) => /Timeout|FSEvent/.test(kind)).length;
}

fakeTime();

describe('agentsFromFile', () => {
  it('reads a list, or an object with the list', async () => {
    const folder = await temporaryFolder();
    for (const content of [[a, b], { agents: [a, b] }]) {
      const file = join(folder, 'agents.json');
      await writeFile(file, JSON.stringify(content));
      const { agents } = await open(file);
      expect(await known(agents)).toBe('ab');
    }
  });

  it('does not find a removed agent after the reload [C7]', async () => {
    const file = join(await temporaryFolder(), 'agents.json');
    await writeFile(file, JSON.stringify([a, b]));
    const { agents, nextReload } = await open(file);
    await putFile(file, JSON.stringify([b]));
    expect(await nextReload()).toEqual({ ok: true });
    expect(await known(agents)).toBe('b');
  });

  it('follows an atomic replacement of the file, as by editors', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'agents.json');
    await writeFile(file, JSON.stringify([a]));
    const { agents, nextReload } = await open(file);
    for (const [content, expected] of [
      [[b], 'b'],
      [[a, b], 'ab'],
    ] as const) {
      await putFile(file, JSON.stringify(content));
      expect(await nextReload()).toEqual({ ok: true });
      expect(await known(agents)).toBe(expected);
    }
  });

  it('follows a symbolic link to its new target, as deployments swap it', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, '1'));
    await mkdir(join(folder, '2'));
    await writeFile(join(folder, '1', 'agents.json'), JSON.stringify([a]));
    await writeFile(join(folder, '2', 'agents.json'), JSON.stringify([b]));
    await symlink('1', join(folder, '..data'));
    await symlink(join('..data', 'agents.json'), join(folder, 'agents.json'));
    const { agents, nextReload } = await open(join(folder, 'agents.json'));
    expect(await known(agents)).toBe('a');
    await symlink('2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    expect(await nextReload()).toEqual({ ok: true });
    expect(await known(agents)).toBe('b');
  });

  it('finds a replaced folder by polling, without a system event', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, '1'));
    await mkdir(join(folder, '2'));
    await writeFile(join(folder, '1', 'agents.json'), JSON.stringify([a]));
    await writeFile(join(folder, '2', 'agents.json'), JSON.stringify([b]));
    await symlink('1', join(folder, 'current'));
    const { agents, nextReload } = await open(join(folder, 'current', 'agents.json'), 0.02);
    await symlink('2', join(folder, 'next'));
    await rename(join(folder, 'next'), join(folder, 'current'));
    expect(await nextReload()).toEqual({ ok: true });
    expect(await known(agents)).toBe('b');
  });

  it.each([
    ['half a file', '[{"id":"agent-'],
    ['a weak key', JSON.stringify([{ id: 'agent-x', publicKey: Buffer.alloc(32).toString('base64') }])],
    ['a misspelt member', JSON.stringify([{ ...b, capabilites: [] }])],
    ['a member twice', `[{"id":"agent-b","status":"suspended","status":"active","publicKey":"${b.publicKey}"}]`],
  ])('bad new content keeps the agents and is reported: %s [D6]', async (_, content) => {
    const file = join(await temporaryFolder(), 'agents.json');
    await writeFile(file, JSON.stringify([a]));
    const { agents, nextReload } = await open(file);
    await putFile(file, content);
    expect(await nextReload()).toMatchObject({ ok: false, problem: expect.any(String) });
    expect(await known(agents)).toBe('a');
    await putFile(file, JSON.stringify([b]));
    expect(await nextReload()).toEqual({ ok: true });
    expect(await known(agents)).toBe('b');
  });

  it('keeps the agents and reports the problem when the file is removed', async () => {
    const file = join(await temporaryFolder(), 'agents.json');
    await writeFile(file, JSON.stringify([a]));
    const { agents, nextReload } = await open(file);
    await unlink(file);
    expect(await nextReload()).toMatchObject({ ok: false, problem: expect.stringMatching(/cannot read/) });
    expect(await known(agents)).toBe('a');
  });

  it('continues to watch when a listener throws', async () => {
    const file = join(await temporaryFolder(), 'agents.json');
    await writeFile(file, JSON.stringify([a, b]));
    const warned = nextWarning(/listener failed/);
    const results: ReloadResult[] = [];
    let second: (() => void) | undefined;
    const reloadedAgain = new Promise<void>((resolve) => {
      second = resolve;
    });
    const agents = await agentsFromFile(file, {
      onReload: (result) => {
        if (results.push(result) > 1) return second?.();
        throw new Error('listener failed');
      },
    });
    onTestFinished(() => agents.close?.());
    await putFile(file, JSON.stringify([a]));
    await hasten(warned);
    await putFile(file, JSON.stringify([b]));
    await hasten(reloadedAgain);
    expect(await known(agents)).toBe('b');
  });

  it('has an outage once it is closed, since nothing follows the file any more [G5]', async () => {
    const file = join(await temporaryFolder(), 'agents.json');
    await writeFile(file, JSON.stringify([a]));
    const agents = await agentsFromFile(file);
    expect(agents.statusOf(a.id)).toBe('active');
    await agents.close?.();
    const outage = 'agentsFromFile: it was closed, so its files are not followed. Open it again.';
    expect(() => agents.statusOf(a.id)).toThrow(outage);
    expect(() => agents.findByThumbprint('a'.repeat(43))).toThrow(outage);
  });

  it.each([
    ['no file', undefined, /cannot read the agents file: ENOENT.*'countersign keygen --agents FILE' makes one/],
    ['no JSON', '{', /not well-formed/],
    ['a comma too many', '[\n  {},\n]', /agents\.json:3:1: it is not well-formed/],
    ['no list', '{}', /expected a list of agents/],
    ['one agent as it is printed', JSON.stringify(printed), /expected a list: put \[ \] around/],
    ['one agent without a list', '{"id":"a"}', /expected a list: put \[ \] around/],
    ['a list that is no list', '{"agents":{}}', /expected a list: put \[ \] around/],
    ['another member', '{"agents":[],"agent":[]}', /Did you mean 'agents'/],
    ['a bad agent', '[{"id":"agent-a"}]', /agent 'agent-a'/],
  ])('refuses to start on %s', async (_, content, message) => {
    const file = join(await temporaryFolder(), 'agents.json');
    if (content !== undefined) await writeFile(file, content);
    const opening = agentsFromFile(file);
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(message);
  });

  it.each(['', undefined, null])('refuses %j as its path [G5]', async (path) => {
    await expect(agentsFromFile(path as string)).rejects.toThrow(ConfigError);
    await expect(agentsFromFile(path as string)).rejects.toThrow(/name the agents file/);
  });

  it('refuses unknown options', async () => {
    await expect(agentsFromFile('agents.json', { onRelaod: () => {} } as object)).rejects.toThrow(/onReload/);
    await expect(agentsFromFile('agents.json', { pollSeconds: 0 })).rejects.toThrow(ConfigError);
  });

  it.skipIf(process.platform === 'win32')(
    'a pipe in its place is reported, and stops no later reload [K5]',
    async () => {
      const folder = await temporaryFolder();
      const file = join(folder, 'agents.json');
      await writeFile(file, JSON.stringify([a]));
      const { agents, nextReload } = await open(file);
      execFileSync('mkfifo', [join(folder, 'pipe')]);
      await rename(join(folder, 'pipe'), file);
      expect(await nextReload()).toMatchObject({ ok: false, problem: expect.stringMatching(/not a regular file/) });
      await putFile(file, JSON.stringify([b]));
      expect(await nextReload()).toEqual({ ok: true });
      expect(await known(agents)).toBe('b');
    },
  );

  it('follows a change that keeps the size and the time of the file [K3]', async () => {
    const file = join(await temporaryFolder(), 'agents.json');
    const past = new Date(0);
    await writeFile(file, JSON.stringify([a]));
    await utimes(file, past, past);
    const { agents, nextReload } = await open(file, 0.5);
    await writeFile(file, JSON.stringify([{ ...a, id: 'agent-b' }]));
    await utimes(file, past, past);
    expect(await nextReload()).toEqual({ ok: true });
    expect(await known(agents)).toBe('b');
  });

  it('does not keep the process alive', async () => {
    const file = join(await temporaryFolder(), 'agents.json');
    await writeFile(file, JSON.stringify([a]));
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    // Timers and watchers of others may end meanwhile.
    const before = running();
    const { agents } = await open(file);
    expect(await known(agents)).toBe('a');
    expect(running()).toBeLessThanOrEqual(before);
  });
});
