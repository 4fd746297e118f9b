import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './support/workspace.js';

const legend = readFileSync(join(root, 'test/attacks.md'), 'utf8');
const [listed = '', untested = ''] = legend.split('## Not tested yet');
const ids = [...listed.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id = '']) => id);
const untestedIds: readonly string[] = untested.match(/\b[A-Z]\d+\b/g) ?? [];

/** Ids in the titles of a source file, at their end: `'… [A7, A16]'`. */
function idsIn(source: string): string[] {
  const titles = source.matchAll(/\[([A-Z]\d{1,2}(?:, [A-Z]\d{1,2})*)\]['"`]/g);
  return [...titles].flatMap(([, named = '']) => named.match(/[A-Z]\d+/g) ?? []);
}

function testFiles(): string[] {
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'test'));
  return ['test', ...packages].flatMap((folder) =>
    filesIn(folder).filter((file) => file.endsWith('.ts') && !/node_modules|\bdist\b|attacks\.test/.test(file)),
  );
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file));
  } catch (error) {
    // A package need not have tests of its own.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Each id that a title names, with one of the files. */
const named = new Map(
  testFiles().flatMap((file) => idsIn(readFileSync(join(root, file), 'utf8')).map((id) => [id, file] as const)),
);

it('every id in a test title has a line in the legend', () => {
  expect([...named].filter(([id]) => !ids.includes(id))).toEqual([]);
});

it('every line of the legend is named by a test or has a reason', () => {
  expect(ids.filter((id) => !named.has(id) && !untestedIds.includes(id))).toEqual([]);
});

it('no id in the last table of attacks.md ("Not tested yet") is named by a test', () => {
  expect([...named].filter(([id]) => untestedIds.includes(id))).toEqual([]);
});

it('the legend has each id once, and reasons only for its own ids', () => {
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  expect(untestedIds.filter((id) => !ids.includes(id))).toEqual([]);
});

it.each([
  ["['A16 never rejects', …]", []],
  ["it('refuses a late copy [J1]', …)", ['J1']],
  ['it(`refuses ${name} [A7, H4]`, …)', ['A7', 'H4']],
  ["it('X25519 keys are refused', …)", []],
  ["'A128GCM'", []],
])('finds the ids of %s', (source, found) => {
  expect(idsIn(source)).toEqual(found);
});
