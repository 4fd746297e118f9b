import { posix } from 'node:path';
import type { Application } from './application.js';

export function isEsModule(text: string, { esm, typescript }: Application): boolean {
  return /^import\s/m.test(text) || ((esm || (typescript && text === '')) && !/\brequire\(/.test(text));
}

/** `names`: those of a module, or the name of its default export. */
export function importLine(names: readonly string[] | string, from: string, isModule: boolean): string {
  const list = typeof names === 'string' ? names : `{ ${names.join(', ')} }`;
  return isModule ? `import ${list} from ${quoted(from)};` : `const ${list} = require(${quoted(from)});`;
}

/** A relative import of a file. */
export function importIn(text: string): string | undefined {
  return /(?:from|require\()\s?['"](\.{1,2}\/[^'"\n]+)['"]/.exec(text)?.[1];
}

/** A module to import, and another relative import, whose form it takes. */
interface Imported {
  readonly path: string;
  readonly other: string | undefined;
}

/** Written as the other imports are: with an extension, also that of the source, or without. */
export function relativeTo(path: string, { path: guardPath, other }: Imported, { esm }: Application): string {
  const target = posix.relative(posix.dirname(path), guardPath);
  const [, extension] = /\.[cm]?([jt]s)$/.exec(other ?? '') ?? [];
  // An import of `guard.mts` says `.mjs`, and always has an extension.
  const always = /\.([cm])[jt]s$/.exec(target)?.[1];
  const name = target.replace(/\.[cm]?[jt]s$/, always === undefined ? '' : `.${always}js`);
  const hasExtension = extension === 'js' || (other === undefined && esm);
  const written = extension === 'ts' ? target : hasExtension && always === undefined ? `${name}.js` : name;
  return `${target.startsWith('.') ? '' : './'}${written}`;
}

function quoted(text: string): string {
  return `'${text}'`;
}
