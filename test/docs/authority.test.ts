import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { binary, freeUrl, startCommand } from '../authority/support-process.js';
import { run } from '../support/run.js';
import { blocksOf, readPage } from './blocks.js';
import { compile, compiled } from './program.js';

it('docs/guides/authority.md ends with a delegated call when it is followed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-authority-guide-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [api, agent] = blocksOf(readPage('docs/guides/authority.md')).filter(({ language }) => language === 'ts');
  if (api === undefined || agent === undefined) throw new Error('the guide has no two programs');
  const complaints = await compile(folder, [api, agent]);
  expect([...complaints.values()].flat()).toEqual([]);

  // Port 3000 of the page may be taken on this machine.
  const { port } = new URL(await freeUrl());
  const here = (code: string) => code.replaceAll('localhost:3000', `localhost:${port}`).replace('(3000,', `(${port},`);
  await writeFile(join(folder, 'api.mjs'), `${here(await compiled(folder, api))}\nconsole.log('ready');`);
  await writeFile(join(folder, 'agent.mjs'), here(await compiled(folder, agent)));
  const dev = ['dev', '--listen', '0', '--api', `http://localhost:${port}`, '--scope', 'parcel:read'];
  const { line } = await startCommand(dev);
  await writeFile(join(folder, 'dev.json'), JSON.stringify(line));

  const server = spawn(process.execPath, ['api.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(server, 'exit');
  onTestFinished(async () => {
    server.kill('SIGKILL');
    await ended;
  });
  await Promise.race([once(server.stdout, 'data'), ended]);
  const { exitCode, stdout, stderr } = await run(process.execPath, ['agent.mjs'], { cwd: folder });
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 0,
    stdout: '200 agent-dev reads for dev:alice\n\n',
    stderr: '',
  });
});

it('the file that docs/guides/authority.md prints starts an authority, which takes the printed registration', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-authority-guide-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const blocks = blocksOf(readPage('docs/guides/authority.md'));
  const config = blocks.find(({ language }) => language === 'json')?.code ?? '';
  const secrets = blocks.find(({ code }) => code.includes('openssl'))?.code ?? '';
  const registration = blocks.find(({ code }) => code.includes('agents add'))?.code ?? '';
  await writeFile(join(folder, 'authority.json'), config);
  const shell = async (script: string) => await run('sh', ['-ec', script], { cwd: folder });
  expect(await shell(secrets)).toMatchObject({ exitCode: 0 });
  const { line, err } = await startCommand(['authority', '--config', join(folder, 'authority.json'), '--listen', '0']);
  expect(err()).not.toContain('warning');
  // No proxy with TLS stands before this one.
  const here = registration
    .replaceAll('npx @countersign/cli', `"${process.execPath}" "${binary}"`)
    .replaceAll('https://id.acme.dev', String(line['url']));
  const { exitCode, stdout, stderr } = await shell(here);
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain('"tags": [\n    "reviewers"\n  ]');
});
