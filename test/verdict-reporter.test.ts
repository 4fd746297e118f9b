import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { run } from './support/run.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

it('the output ends with each failure by name, why, and the verdict', { timeout: 60_000 }, async () => {
  const root = mkdtempSync(join(tmpdir(), 'countersign-verdict-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(
    join(root, 'some.test.ts'),
    `describe('numbers', () => {
       it('add up', () => expect(1 + 1).toBe(2));
       it('do not\\nadd up', () => expect({ sum: 1 + 1 }, 'the sum').toEqual({ sum: 3 }));
       it('are left out', ({ skip }) => skip());
       let runs = 0;
       it('settle', { retry: 1 }, () => expect(++runs).toBe(2));
     });
     describe('a hook', () => {
       beforeAll(() => { throw new Error('no server'); });
       it('never runs', () => {});
     });`,
  );
  writeFileSync(join(root, 'broken.test.ts'), `throw new Error('cannot load');`);
  const vitest = [here('../node_modules/vitest/vitest.mjs'), 'run', '--globals', '--no-file-parallelism'];
  const reporter = `--reporter=${here('../scripts/verdict-reporter.ts')}`;
  const { stdout, exitCode } = await run(process.execPath, [...vitest, `--root=${root}`, reporter]);
  expect(stdout.slice(stdout.indexOf('passed only')).split('\n')).toEqual([
    'passed only the second time: some.test.ts > numbers > settle',
    expect.stringMatching(/^ {6}\| expected 1 to be 2/),
    'failed: broken.test.ts (itself, or a hook)',
    '      | cannot load',
    'failed: some.test.ts > a hook (itself, or a hook)',
    '      | no server',
    'failed: some.test.ts > numbers > do not add up',
    expect.stringMatching(/^ {6}\| the sum: expected \{ sum: 2 \} to deeply equal \{ sum: 3 \}$/),
    '2 passed, 3 failed, 2 skipped',
    '',
  ]);
  expect(exitCode).toBe(1);
});
