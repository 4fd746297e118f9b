import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { refusalPages } from '@countersign/common';
import { expect, it } from 'vitest';
import { guidePage } from '../src/guide-page.js';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'packages/cli/src');

it('guides are beside the pages of the refusals on the site', () => {
  expect(refusalPages).toMatch(/\/refusals\/$/);
  expect(guidePage('tokens')).toBe(refusalPages.replace('/refusals/', '/guides/tokens'));
});

it('every guide that the command line names exists', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const names = files.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/'((?:adopt|placement|tokens|nestjs)[a-z-]*)'/g)].map(
      ([, name = '']) => name,
    ),
  );
  expect(names).toContain('placement');
  expect(names.filter((name) => !existsSync(join(root, `docs/guides/${name}.md`)))).toEqual([]);
});
