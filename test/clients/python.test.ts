import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reportMissing } from '../support/required.js';
import { run } from '../support/run.js';
import { root } from '../support/workspace.js';

const client = join(root, 'clients/python');
const installed = join(client, '.venv/bin/python');
/** A Python in which `pip install -e 'clients/python[test]'` ran. */
const python = process.env['COUNTERSIGN_PYTHON_CLIENT'] ?? (existsSync(installed) ? installed : 'python3');
const modules = [
  'countersign',
  'pytest',
  'hypothesis',
  'mypy',
  'pdoc',
  'aiohttp',
  'requests',
  'httpx',
  'httpx2',
  'mcp',
];
const isThere = spawnSync(python, ['-c', `import ${modules.join(', ')}`]).status === 0;
if (!isThere) {
  reportMissing(
    'python-client',
    `skipped: the client in Python. ${python} lacks it: python3 -m venv clients/python/.venv && clients/python/.venv/bin/pip install -e 'clients/python[test]'`,
  );
}

const deadlineSeconds = 1200;

async function succeeds(program: string, args: readonly string[], cwd = client): Promise<string> {
  const env = { ...process.env, COUNTERSIGN_NODE: process.execPath };
  const { exitCode, stdout, stderr } = await run(program, args, { cwd, env, deadlineSeconds });
  expect(exitCode, `${stdout.slice(-8000)}${stderr.slice(-4000)}`).toBe(0);
  return stdout;
}

describe.skipIf(!isThere)('the client in Python', { timeout: deadlineSeconds * 1000 }, () => {
  // Vectors, calls over sockets, every host, the authority, an MCP server, random requests.
  it('passes its tests', async () => {
    await succeeds(python, ['-m', 'pytest']);
  });

  it('is typed and formatted', async () => {
    await succeeds(python, ['-m', 'mypy']);
    await succeeds(python, ['-m', 'ruff', 'check', '.']);
    await succeeds(python, ['-m', 'ruff', 'format', '--check', '.']);
  });

  it('has a reference of every module', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-pdoc-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const guide = await readFile(join(root, 'docs/guides/agents-python.md'), 'utf8');
    const [, args = ''] = /&& pdoc (.*)`/.exec(guide) ?? [];
    await succeeds(python, ['-m', 'pdoc', '-o', folder, ...args.split(' ')]);
    expect(await readFile(join(folder, 'countersign.html'), 'utf8')).toContain('Agent.act_for');
    expect(await readdir(join(folder, 'countersign'))).toHaveLength(4);
  });

  it('installs from its wheel into an empty environment', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-wheel-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await succeeds(python, ['-m', 'pip', 'wheel', '--quiet', '--no-deps', '--wheel-dir', folder, client]);
    const [wheel = ''] = await readdir(folder);
    expect(wheel).toMatch(/^countersign-.*-py3-none-any\.whl$/);
    await succeeds(python, ['-m', 'venv', join(folder, 'empty')]);
    const empty = join(folder, 'empty/bin/python');
    await succeeds(empty, ['-m', 'pip', 'install', '--quiet', join(folder, wheel)], folder);
    const program = `
from countersign import Agent, AgentKey
agent = Agent("agent-a", AgentKey.generate(), origins=["https://api.acme.dev"])
print(agent.sign("GET", "https://api.acme.dev/"))`;
    expect(await succeeds(empty, ['-c', program], folder)).toBe('<SignedRequest GET https://api.acme.dev/>\n');
    const typed =
      'import countersign, pathlib; print((pathlib.Path(countersign.__file__).parent / "py.typed").exists())';
    expect(await succeeds(empty, ['-c', typed], folder)).toBe('True\n');
  });
});
