import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/workspace.js';

/** A documentation page, by its path in the repository. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** A fenced block of a page. */
export interface Block {
  readonly path: string;
  /** Line of its first line of code, from 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

/** The README, the pages of docs/, and the README of each package and example. */
export function allPages(): readonly Page[] {
  const readmes = ['packages', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}/README.md`),
  );
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  const paths = [...docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`), ...readmes];
  const top = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
  return [...top, ...paths.toSorted()].filter((path) => existsSync(join(root, path))).map(readPage);
}

/** The blocks of a page, without the indentation of a list. */
export function blocksOf({ path, text }: Page): readonly Block[] {
  const fences = text.matchAll(/^(?<indent> *)```(?<language>[^\n`]*)\n(?<code>.*?)^\k<indent>```$/gms);
  return [...fences].map(({ index, groups: { indent = '', language = '', code = '' } = {} }) => ({
    path,
    line: text.slice(0, index).split('\n').length + 1,
    language,
    code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** The targets of the page's links into the repository. */
export function linksOf({ text }: Page): readonly string[] {
  return [...text.replaceAll(/^ *```.*?^ *```$/gms, '').matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(
    ([, link = '']) => link,
  );
}

/** The anchors that GitHub gives to a page's headings. */
export function anchorsOf({ text }: Page): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
