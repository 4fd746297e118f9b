import { readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { refusalCodes } from '../packages/core/dist/index.js';
import { address } from './places.mjs';

const root = join(import.meta.dirname, '..');

/**
 * The groups of docs/README.md: each heading with a table or a list is a group, each page that a row begins or ends with a
 * member.
 */
function groupsOfIndex(places, titleOf) {
  const groups = [];
  for (const line of readFileSync(join(root, 'docs/README.md'), 'utf8').split('\n')) {
    const heading = /^##+ (.+)$/.exec(line)?.[1];
    if (heading !== undefined) groups.push({ text: heading, items: [] });
    const link = /^(?:\||\*) .*?\]\(([^)#]+)(#[^)]*)?\)/.exec(line);
    if (link === null || groups.length === 0) continue;
    const path = normalize(join('docs', link[1]));
    const [, label] = /\[([^\]]+)\]\(/.exec(line) ?? [];
    const place = places.get(path);
    if (place === undefined) throw new Error(`docs/README.md: ${link[1]} is no page.`);
    groups.at(-1).items.push({
      text: link[2] === undefined ? titleOf(path) : label,
      link: `${address(place)}${link[2] ?? ''}`,
    });
  }
  return groups.filter(({ items }) => items.length > 0);
}

/** The sidebar of each section. Every page has its own in its HTML: a single one for all would be most of the site. */
export function sidebars(places, titleOf) {
  const members = (folder) =>
    [...places]
      .filter(([path, place]) => dirname(dirname(place)) === folder && basename(path) === 'README.md')
      .map(([path, place]) => ({ text: titleOf(path), link: address(place) }));
  const decisions = [...places.keys()]
    .filter((path) => /^docs\/decisions\/\d/.test(path))
    .map((path) => ({ text: titleOf(path), link: address(places.get(path)) }));
  const packages = members('packages');
  return {
    '/': [
      ...groupsOfIndex(places, titleOf),
      { text: 'Examples', items: members('examples') },
      {
        text: 'Project',
        items: [
          { text: 'Changelog', link: '/changelog' },
          { text: 'Security', link: '/security' },
        ],
      },
    ],
    '/refusals/': [
      {
        text: 'Refusals',
        link: '/refusals/',
        items: refusalCodes.map((code) => ({ text: code, link: `/refusals/${code}` })),
      },
    ],
    '/decisions/': [{ text: 'Decisions', link: '/decisions/', items: decisions }],
    '/packages/': [{ text: 'Packages', items: packages }],
    '/api/': [
      {
        text: 'API',
        link: '/api/',
        items: packages
          .map(({ text }) => text)
          .filter((text) => documented.has(text))
          .map((text) => ({ text, link: `/api/${text}` })),
      },
    ],
  };
}

/** The packages that TypeDoc documents. */
const documented = new Set(
  JSON.parse(readFileSync(new URL('typedoc.json', import.meta.url), 'utf8')).entryPoints.map(
    (path) => `@countersign/${basename(path)}`,
  ),
);
