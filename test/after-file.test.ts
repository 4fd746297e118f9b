import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { run } from './support/run.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Leaves an authority and a store open, as tests do. */
const file = `
  import { engines } from '${here('../packages/authority/test/support/stores.ts')}';
  import { startAuthority } from '${here('../packages/authority/test/support/authority.ts')}';
  for (const name of ['first', 'second']) {
    it(name, async () => {
      expect(globalThis.running?.listening ?? false).toBe(false);
      globalThis.running = (await startAuthority({ store: await engines[0].open() })).server;
      expect(globalThis.running.listening).toBe(true);
    });
  }`;

it('nothing that a support module started outlives its test file in a shared worker', async () => {
  const root = mkdtempSync(join(tmpdir(), 'countersign-files-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const temporary = join(root, 'temporary');
  mkdirSync(temporary);
  for (const name of ['one', 'other']) writeFileSync(join(root, `${name}.test.ts`), file);
  writeFileSync(
    join(root, 'vitest.config.ts'),
    `import config from '${here('../vitest.config.ts')}';
    const { projects, ...test } = config.test;
    export default { ...config, test: { ...test, include: ['*.test.ts'], maxWorkers: 1 } };`,
  );
  const vitest = [here('../node_modules/vitest/vitest.mjs'), 'run', '--globals', '--reporter=default'];
  const { stdout, stderr, exitCode } = await run(process.execPath, [...vitest, `--root=${root}`], {
    env: { ...process.env, TMPDIR: temporary },
  });
  expect(exitCode, stdout + stderr).toBe(0);
  expect(readdirSync(temporary)).toEqual([]);
});
