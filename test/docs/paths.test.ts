import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../support/workspace.js';
import { readPage } from './blocks.js';

/** Does not exist yet: the page says how to make it. */
const examples = ['packages/hapi', 'test/hosts/hapi.ts'];

/** Every code span that may be a path: it has no space, scheme or option. */
function pathsOf(page: string): string[] {
  const { text } = readPage(page);
  const spans = [...text.replaceAll(/^```.*?^```$/gms, '').matchAll(/`([^`\n]+)`/g)].flatMap(([, span = '']) =>
    span.startsWith('pnpm test:one ') ? span.split(' ').slice(2, 3) : [span],
  );
  return spans.filter((span) => /^[\w./-]+$/.test(span) && !examples.includes(span));
}

it.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('every path that %s names exists', (page) => {
  const paths = pathsOf(page).filter((path) => /\/|\.(?:ts|md|json|yaml)$/.test(path));
  expect(paths.length).toBeGreaterThan(10);
  const places = [root, join(root, 'packages/core/src')];
  expect(paths.filter((path) => !places.some((place) => existsSync(join(place, path))))).toEqual([]);
});

it.each(['packages/core/src', 'packages/core/src/stages'])('ARCHITECTURE.md names every folder of %s', (parent) => {
  const named = pathsOf('ARCHITECTURE.md').join('\n');
  const folders = readdirSync(join(root, parent), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const missing = folders
    .map(({ name }) => name)
    .filter((name) => !new RegExp(String.raw`(?:^|/)${name}(?:/|$)`, 'm').test(named));
  expect(missing).toEqual([]);
});
