import { readdirSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { expect, it } from 'vitest';

const SOURCE = new URL('../src/', import.meta.url);

/** From the bottom up. A folder imports only from itself and from the folders that precede it in this list. */
const FOLDERS = [
  '.',
  'cedar/instance',
  'cedar/index',
  'cedar/text',
  'cedar/request',
  'cedar/load',
  'cedar/evaluate',
  'explain',
  'lint',
  'narrow',
  'cedar',
];

it('folders import only from folders below them', () => {
  const found = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const files = found.filter((file) => file !== 'index.ts');
  const imports = files.flatMap((file) =>
    [...readFileSync(new URL(file, SOURCE), 'utf8').matchAll(/from '(\.[^']+)'/g)].map(([, specifier = '']) => ({
      file,
      from: dirname(file),
      to: dirname(posix.join(dirname(file), specifier)),
    })),
  );
  expect(imports.length).toBeGreaterThan(100);
  expect(imports.filter(({ from }) => !FOLDERS.includes(from))).toEqual([]);
  expect(imports.filter(({ from, to }) => FOLDERS.indexOf(to) > FOLDERS.indexOf(from))).toEqual([]);
});
