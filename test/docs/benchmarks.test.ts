import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { root } from '../support/workspace.js';

const generated = mkdtempSync(join(tmpdir(), 'benchmarks-'));
afterAll(() => rmSync(generated, { recursive: true }));

function textsIn(folder: string): Record<string, string> {
  const plots = readdirSync(join(folder, 'benchmarks')).map((name) => `benchmarks/${name}`);
  const names = ['benchmarks.md', ...plots.toSorted()];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

it('The benchmark page and its plots are what report.mjs makes of the committed results', () => {
  execFileSync(process.execPath, [join(root, 'test/bench/report.mjs'), generated]);
  expect(textsIn(join(root, 'docs'))).toEqual(textsIn(generated));
});
