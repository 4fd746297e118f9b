// Fills .pages/ (git ignores it): the Markdown of the repository as pages of the site, one page for each refusal code, and
// the sidebar. The API pages of TypeDoc join them.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { refusalPagesByCode, withLinks } from './refusals.mjs';
import { sidebars } from './sidebar.mjs';
import { address, repository } from './places.mjs';

const root = join(import.meta.dirname, '..');
const out = join(import.meta.dirname, '.pages');

const markdownIn = (folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
const readmesIn = (folder) =>
  readdirSync(join(root, folder))
    .map((name) => `${folder}/${name}/README.md`)
    .filter((path) => existsSync(join(root, path)));

/** Where a page of the repository is on the site. */
function placeOf(path) {
  if (path === 'README.md') return 'introduction.md';
  const inDocs = path.startsWith('docs/') ? path.slice('docs/'.length) : path.toLowerCase();
  return inDocs === 'README.md' ? 'documentation.md' : inDocs.replace(/readme\.md$/i, 'index.md');
}

const top = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
const sources = [
  ...top,
  ...markdownIn('docs'),
  ...['packages', 'clients', 'examples'].flatMap(readmesIn),
  'test/vectors/README.md',
];
const places = new Map(sources.map((path) => [path, placeOf(path)]));
const assets = new Set();

/** What the highlighter calls the languages that it does not know by our names. */
const languages = {
  cedar: 'rust',
  cedarschema: 'rust',
  rego: 'go',
  'http-message': 'http',
  'link-payload': 'json',
  'link-header': 'json',
  'token-payload': 'json',
  'token-header': 'json',
  'signature-base': 'text',
  link: 'text',
  token: 'text',
};

/** The address of a link on a page: another page, a file of docs/ as it is, or the repository. */
function target(from, link) {
  const [path = '', anchor] = link.split('#');
  const hash = anchor === undefined ? '' : `#${anchor}`;
  const found = normalize(path === '' ? from : join(dirname(from), path)).replace(/\/$/, '');
  const page = places.get(found) ?? places.get(join(found, 'README.md'));
  if (page !== undefined) return `${address(page)}${hash}`;
  if (!existsSync(join(root, found))) throw new Error(`${from}: the link ${link} leads nowhere.`);
  if (found.startsWith('docs/') && /\.\w+$/.test(found)) {
    assets.add(found);
    return `/${found.slice('docs/'.length)}`;
  }
  return `${repository}/blob/main/${found}${hash}`;
}

/** A page with the links of the site, and fences that the highlighter knows. */
function pageOf(from) {
  const parts = readFileSync(join(root, from), 'utf8').split(/(^ *```.*?^ *```$)/gms);
  return parts
    .map((part, index) =>
      index % 2 === 1
        ? part.replace(/^( *```)(\S+)/, (_, fence, name) => fence + (languages[name] ?? name))
        : part.replaceAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g, (_, link) => `](${target(from, link)})`),
    )
    .join('');
}

function write(path, text) {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  writeFileSync(join(out, path), text);
}

/** The heading of a page. */
const titleOf = (path) => /^# (.+)$/m.exec(readFileSync(join(root, path), 'utf8'))?.[1] ?? basename(path, '.md');

rmSync(out, { recursive: true, force: true });
for (const [from, to] of places) {
  const text = pageOf(from);
  // In the table of refusals, each code leads to its page.
  const linked = from === 'docs/reference/refusals.md' ? withLinks(text) : text;
  write(to, `---\nsource: ${from}\n---\n\n${linked}`);
}
for (const [code, text] of refusalPagesByCode) write(`refusals/${code}.md`, text);
write(
  'refusals/index.md',
  `---\nsource: docs/reference/refusals.md\n---\n\n${withLinks(pageOf('docs/reference/refusals.md'))}`,
);
for (const path of assets) {
  mkdirSync(dirname(join(out, 'public', path.slice('docs/'.length))), { recursive: true });
  cpSync(join(root, path), join(out, 'public', path.slice('docs/'.length)));
}
cpSync(join(import.meta.dirname, 'home.md'), join(out, 'index.md'));
writeFileSync(join(out, 'sidebar.json'), JSON.stringify(sidebars(places, titleOf)));
