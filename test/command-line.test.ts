import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { hosts } from './hosts/hosts.js';
import { auditRecords } from './support/audit-log.js';
import { Connection } from './support/connection.js';
import { serialized, signedRequest } from './support/signed-request.js';
import { reviewer, worldConfig } from './support/world.js';

const entry = fileURLToPath(new URL('hosts/dist/main.js', import.meta.url));

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'countersign-host-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

function run(...args: string[]): { process: ChildProcess; lines: AsyncIterator<string>; errors: () => string } {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: run tsc -b first, as pnpm test does`);
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, lines, errors: () => errors };
}

it.each(hosts)('host $name prints its address and its handled requests, and stops on SIGTERM', async ({ name }) => {
  const audit = folder();
  const file = join(folder(), 'config.json');
  writeFileSync(file, JSON.stringify(worldConfig(audit)));
  const host = run(name, '--config', file, '--port', '0');
  const { url } = JSON.parse(String((await host.lines.next()).value)) as { url: string };
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);

  const connection = await Connection.open(url);
  connection.write(serialized(signedRequest({ key: reviewer, host: new URL(url).host, target: '/invoices' })));
  expect((await connection.read()).status).toBe(200);
  expect(JSON.parse(String((await host.lines.next()).value))).toEqual({ handled: 'invoice.read' });

  connection.write(serialized(signedRequest({ key: reviewer, host: 'evil.example', target: '/invoices' })));
  expect((await connection.read()).status).toBe(401);

  host.process.kill('SIGTERM');
  await once(host.process, 'exit');
  expect(host.process.exitCode).toBe(0);
  // The refused request printed nothing.
  expect((await host.lines.next()).done).toBe(true);
  expect(host.errors()).toBe('');
  expect(auditRecords(audit).map(({ phase, code }) => code ?? phase)).toEqual([
    'decision',
    'outcome',
    'origin_mismatch',
  ]);
});

it.each([
  ['no host', [], /usage: host <node-http/],
  ['an unknown host', ['express9', '--config', 'x'], /usage: host/],
  ['no configuration', ['express5'], /usage: host/],
  ['a file that is not there', ['express5', '--config', '/nonexistent.json'], /ENOENT/],
])('host, given %s, says why and fails', async (_title, args, says) => {
  const host = run(...args);
  await once(host.process, 'close');
  expect(host.process.exitCode).toBe(1);
  expect(host.errors()).toMatch(says);
});

it('a host does not start when a setting is misspelt [G5]', async () => {
  const file = join(folder(), 'config.json');
  writeFileSync(file, JSON.stringify({ ...worldConfig(folder()), polices: '' }));
  const host = run('express5', '--config', file);
  await once(host.process, 'close');
  expect(host.process.exitCode).toBe(1);
  expect(host.errors()).toContain("Did you mean 'policies'");
});
