import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/** The line that keeps a file out of git, and the `.gitignore` for it. */
export interface IgnoreLine {
  readonly line: string;
  readonly file: string;
}

/**
 * For a file in a repository, or below the working directory, which may become one. Undefined for any other: git cannot take
 * it.
 */
export function ignoreLine(path: string): IgnoreLine | undefined {
  const root = repositoryOf(dirname(resolve(path))) ?? process.cwd();
  const inside = relative(root, resolve(path));
  const parts = inside.split(sep);
  if (parts[0] === '..' || isAbsolute(inside)) return undefined;
  return {
    line: `/${parts.join('/').replaceAll(/[\\*?[]| $/g, '\\$&')}`,
    file: relative('', join(root, '.gitignore')),
  };
}

function repositoryOf(folder: string): string | undefined {
  if (existsSync(join(folder, '.git'))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : repositoryOf(parent);
}
