import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { verifyLog } from '@countersign/audit-verifier';
import { auditFile, readAuditLog } from '@countersign/core';
import { transformWithEsbuild } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeApplication, publishedPackages } from '../support/workspace.js';
import { blocksOf, readPage } from './blocks.js';

let place: string;
let folder: string;

/** In place of an API with a guard: writes three records, reports when they are acknowledged, and answers slowly. */
const startApi = `
import { createServer } from 'node:http';
async function startApi(audit) {
  for (let count = 0; count < 3; count++) {
    const id = [process.pid, count].join('-');
    const request = { id, method: 'GET', path: '/' };
    await audit.write({ id, time: new Date().toISOString(), phase: 'decision', decision: 'allow', request });
  }
  const server = createServer((request, response) => {
    console.log('asked ' + process.pid);
    // Answers once the server has been told to close.
    const timer = setInterval(() => {
      if (server.listening) return;
      clearInterval(timer);
      response.end('answered');
    }, 10);
  });
  await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, resolve));
  console.log([process.env['AUDIT_SLOT'], process.pid, server.address().port].join(' '));
  return { server, guard: { close: () => audit.close() }, pool: { end: async () => {} } };
}
`;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'countersign-cluster-'));
  folder = join(place, 'audit');
  await makeApplication(place, new Map(publishedPackages().map((one) => [one.name, one.folder])));
  const code =
    blocksOf(readPage('docs/guides/several-processes.md')).find((block) => block.code.includes('cluster.fork'))?.code ??
    '';
  const changed = code.replace('/var/lib/api/audit', folder).replace('availableParallelism()', '2');
  const { code: plain } = await transformWithEsbuild(`${changed}\n${startApi}`, 'cluster.ts', { target: 'es2023' });
  await writeFile(join(place, 'cluster.mjs'), plain);
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The records of that worker. */
function idsOf({ pid }: { readonly pid: number }): string[] {
  return [0, 1, 2].map((count) => `${pid}-${count}`);
}

async function idsIn(log: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of readAuditLog(log)) ids.push(id);
  return ids;
}

interface Started {
  readonly slot: string;
  readonly pid: number;
  readonly port: number;
}

function startPrimary() {
  const primary = spawn(process.execPath, [join(place, 'cluster.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(primary, 'close');
  const lines = createInterface({ input: primary.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Started> => {
    const [slot = '', pid = '', port = ''] = ((await lines.next()) as { value?: string }).value?.split(' ') ?? [];
    return { slot, pid: Number(pid), port: Number(port) };
  };
  return { primary, closed, next };
}

/** Whether every record of a log is under its last checkpoint, and nothing else is wrong. */
async function isSealed(log: string): Promise<void> {
  const key = await readFile(join(log, 'checkpoint.vkey'), 'utf8');
  const report = await verifyLog(log, { key });
  expect(report).toMatchObject({ ok: true, findings: [], remarks: [] });
  expect(report.sealed).toBe(report.size - 1);
}

it('each worker of a cluster has a log, which its successor continues when it is killed [F4, F6]', async () => {
  const { primary, closed, next } = startPrimary();
  const first = await next();
  const other = await next();
  expect([first.slot, other.slot].toSorted()).toEqual(['1', '2']);

  process.kill(first.pid, 'SIGKILL');
  const successor = await next();
  expect(successor.slot).toBe(first.slot);
  expect(successor.pid).not.toBe(first.pid);

  primary.kill('SIGKILL');
  await closed;
  expect((await readdir(folder)).toSorted()).toEqual(['1', '2']);
  for (const [log, ids] of [
    [join(folder, first.slot), [...idsOf(first), ...idsOf(successor)]],
    [join(folder, other.slot), idsOf(other)],
  ] as const) {
    await auditFile(log).close?.();
    expect(await idsIn(log)).toEqual(ids);
    await isSealed(log);
  }
});

it('a cluster replaces a worker that ends, answers what has begun, and seals its logs when it ends [F4]', async () => {
  const { primary, closed, next } = startPrimary();
  const workers = [await next(), await next()];
  const [first, other] = workers as [Started, Started];
  process.kill(first.pid, 'SIGTERM');
  const successor = await next();
  expect(successor.slot).toBe(first.slot);

  const answer = fetch(`http://127.0.0.1:${other.port}/`, { headers: { connection: 'close' } });
  expect(await next()).toMatchObject({ slot: 'asked', pid: other.pid });
  primary.kill('SIGTERM');
  expect(await (await answer).text()).toBe('answered');
  expect(await closed).toEqual([0, null]);
  for (const { slot } of workers) await isSealed(join(folder, slot));
});
