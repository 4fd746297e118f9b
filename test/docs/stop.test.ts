import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { transformWithEsbuild } from 'vite';
import { expect, it, onTestFinished } from 'vitest';
import { blocksOf, readPage } from './blocks.js';

/** An application with a timer, as of a cron or a pool, whose guard is closed at once. */
const application = `
import { createServer } from 'node:http';
setInterval(() => undefined, 1000);
const server = createServer((request, response) => {
  console.log('asked');
  // Answers once the server has been told to close.
  const timer = setInterval(() => {
    if (server.listening) return;
    clearInterval(timer);
    response.end('answered');
  }, 10);
});
closeAtTheEnd(server, { close: async () => console.log('sealed') });
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

it('the recipe of a guide for SIGTERM ends a process with timers, after the requests of people', async () => {
  const code = blocksOf(readPage('docs/guides/adopt.md')).find((block) => block.code.includes('closeAtTheEnd'))?.code;
  const folder = await mkdtemp(join(tmpdir(), 'countersign-stop-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code: plain } = await transformWithEsbuild(`${code}${application}`, 'stop.ts', { target: 'es2023' });
  await writeFile(join(folder, 'stop.mjs'), plain);
  const child = spawn(process.execPath, [join(folder, 'stop.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, 'exit');
  const { value: port } = await lines.next();
  const answer = fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
  expect(await lines.next()).toMatchObject({ value: 'asked' });
  child.kill('SIGTERM');
  expect(await lines.next()).toMatchObject({ value: 'sealed' });
  expect(await answer).toBe('answered');
  expect(await exited).toEqual([0, null]);
});
