import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of outside vectors, beside the checkout where there is one. */
const folder = new URL('../../../../shared/vectors/', import.meta.url);

/** A folder of vectors, or undefined where they are not. */
export function vectorFolder(name: string): string | undefined {
  const found = new URL(`${name}/`, folder);
  return existsSync(found) ? found.pathname : undefined;
}

export function readVector(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Every JSON file below a folder. */
export function vectorsBelow(path: string): { readonly name: string; readonly value: unknown }[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, value: readVector(join(path, name)) }));
}
