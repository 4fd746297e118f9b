import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of outside vectors, beside the checkout where there is one. */
const folder = new URL('../../../../shared/vectors/', import.meta.url);

/** A folder of vectors, or undefined where they are not. */
export function vectorFolder(name: string): string | undefined {
  const found = new URL(`${name}/`, folder);
  return existsSync(found) ? found.pathname : undefined;
}

export function readVector<Value>(path: string): Value {
  return JSON.parse(readFileSync(path, 'utf8')) as Value;
}

/** Every JSON file below a folder. */
export function vectorsBelow<Value>(path: string): { readonly name: string; readonly value: Value }[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, value: readVector<Value>(join(path, name)) }));
}
