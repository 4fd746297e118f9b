import { posix } from 'node:path';
import type { Source } from './sources.js';

/** A statement that gives names to what another file exports. */
export interface Import {
  readonly start: number;
  readonly end: number;
  /** The names that it gives, and those of what it renames. */
  readonly names: readonly string[];
  readonly path: string;
  /** Undefined if it is no file of the application. */
  readonly target: Source | undefined;
}

const statements =
  /^[ \t]*(?:import|const|let|var)\b[^;='"`]{1,500}(?:\bfrom\b|=\s*require\()\s*['"`]([^'"`\n]+)['"`](?!\)\s*\(|\)\.\w+\()/gm;

const keywords = new Set(['import', 'type', 'const', 'let', 'var', 'from', 'require', 'as', 'default']);

export function importsOf(file: Source, sources: readonly Source[]): readonly Import[] {
  return [...file.text.matchAll(statements)].map(({ index, 0: statement, 1: path = '' }) => ({
    start: index,
    end: index + statement.length,
    names: (statement.slice(0, -path.length - 1).match(/[\w$]+/g) ?? []).filter((word) => !keywords.has(word)),
    path,
    target: importedFile(path, file, sources),
  }));
}

/** The file that a path names, also by an alias like `@/routes`; undefined if it is none of these, or may be several. */
export function importedFile(path: string, from: Source, sources: readonly Source[]): Source | undefined {
  if (path.startsWith('.')) {
    const target = bare(posix.join(posix.dirname(from.path), path));
    return sources.find((source) => bare(source.path) === target);
  }
  // A package like `@koa/router` is no alias.
  if (!path.includes('/') || /^@[^/]/.test(path)) return undefined;
  const end = bare(path.replace(/^(?:[@~]\/|#\/?)/, ''));
  const [found, other] = sources.filter((source) => `/${bare(source.path)}`.endsWith(`/${end}`));
  return other === undefined ? found : undefined;
}

/** A path as an import without an ending names it. */
function bare(path: string): string {
  return path.replace(/\/$/, '').replace(/(?:(?:^|\/)index)?(?:\.[cm]?[jt]s)?$/, '');
}
