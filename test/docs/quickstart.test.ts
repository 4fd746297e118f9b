import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.js';
import { type Ran, run } from '../support/run.js';
import { makeApplication, publishedPackages, root } from '../support/workspace.js';
import { blocksOf, readPage } from './blocks.js';

const page = readPage('docs/quickstart.md');
const cli = join(root, 'packages/cli/bin/countersign.js');

describe('docs/quickstart.md', () => {
  let folder: string;
  let port: number;
  let server: ChildProcess | undefined;

  /** The one block of the page that contains this text, for the port of this test. */
  function block(text: string): string {
    const found = blocksOf(page).filter(({ code }) => code.includes(text));
    expect(found, text).toHaveLength(1);
    return (found[0]?.code ?? '').replaceAll('3000', `${port}`);
  }

  /** Runs the commands of a block. The package of the workspace stands in for the installed one. */
  async function play(text: string): Promise<Ran> {
    const commands = block(text).replaceAll('npx @countersign/cli', `'${process.execPath}' '${cli}'`);
    return await run('sh', ['-c', commands], { cwd: folder });
  }

  beforeAll(async () => {
    port = await freePort();
    folder = await mkdtemp(join(tmpdir(), 'countersign-quickstart-'));
    const packages = new Map(publishedPackages().map((one) => [one.name, one.folder]));
    packages.set('express', join(root, 'packages/express/node_modules/express'));
    await makeApplication(folder, packages);
  });
  afterAll(async () => {
    server?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('generates a key, and registers it', async () => {
    expect(await play('keygen')).toMatchObject({ exitCode: 0 });
    expect(await readdir(folder)).toEqual(expect.arrayContaining(['agent.pem', 'agents.json']));
  });

  it('writes policies that pass the check, with the warning that it announces', async () => {
    await play('mkdir policies');
    await writeFile(join(folder, 'policies/schema.cedarschema'), block('entity Parcel'));
    await writeFile(join(folder, 'policies/parcels.cedar'), block('courier-reads'));
    const { exitCode, stdout } = await play('policy check');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('parcel.cancel');
  });

  it('starts the API', async () => {
    await writeFile(join(folder, 'api.mjs'), block('createGuard({'));
    const [program = '', ...args] = block('node api.mjs').trim().split(' ');
    expect(program).toBe('node');
    server = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await once(createInterface({ input: server.stdout! }), 'line')).toEqual(['listening']);
  });

  it('gets 200 when the request is permitted', async () => {
    const { exitCode, stdout } = await play('curl GET');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ id: '17', readBy: 'agent-courier' });
  });

  it('gets 403 policy_denied when it is not permitted', async () => {
    const { exitCode, stdout } = await play('curl DELETE');
    expect(exitCode).toBe(22);
    expect(JSON.parse(stdout)).toMatchObject({ status: 403, code: 'policy_denied' });
  });

  it('gets 401 signature_required when the request has no signature', async () => {
    const [, url = ''] = block('curl http').match(/curl (\S+)/) ?? [];
    const answer = await fetch(url);
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'signature_required' }]);
  });

  it('shows all three in the log, and verifies it once the API has stopped', async () => {
    const { stdout } = await play('audit query');
    for (const text of ['parcel.read', 'parcels.cedar#courier-reads', 'policy_denied', 'signature_required']) {
      expect(stdout).toContain(text);
    }
    server?.kill('SIGINT');
    await once(server!, 'exit');
    expect(await play('audit verify')).toMatchObject({ exitCode: 0 });
  });

  it('has no command that is not run here except the installation', () => {
    const played = ['keygen', 'mkdir policies', 'policy check', 'node api.mjs', 'curl', 'audit query', 'audit verify'];
    const others = blocksOf(page).filter(({ language, code }) => {
      return language === 'sh' && !played.some((text) => code.includes(text));
    });
    expect(others).toHaveLength(2);
    for (const { code } of others) expect(code).toMatch(/pack:all|npm install/);
  });
});
