import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../config-error.js';
import { brokenLine } from '../../json/broken-line.js';
import { parseStrictJson } from '../../json/strict-json.js';
import type { Resource } from '../engine.js';
import type { CedarSource } from './engine.js';
import type { NamedTexts } from './schema.js';

const ENTITIES = 'entities.json';

/** Reads what a folder says of policy: `*.cedar`, `*.cedarschema` and `entities.json`. @throws ConfigError */
export async function readFolder(owner: string, path: string): Promise<CedarSource> {
  const names = await namesIn(owner, path);
  await refuseOverlooked(owner, path, names);
  const policies = await readTexts(owner, path, names, '.cedar');
  const schema = await readTexts(owner, path, names, '.cedarschema');
  return {
    policies,
    ...(Object.keys(schema).length === 0 ? {} : { schema }),
    ...(names.includes(ENTITIES) ? { entities: await readEntities(owner, path) } : {}),
  };
}

/** Differs when a file has come, gone or been written. A folder that cannot be read has a fingerprint too. */
export async function fingerprint(path: string): Promise<string> {
  const names = await readdir(path).catch((): string[] => []);
  const marks = names.toSorted().map(async (name) => {
    const found = await stat(join(path, name)).catch(() => undefined);
    return [name, found?.mtimeMs, found?.size, found?.ino];
  });
  return JSON.stringify(await Promise.all(marks));
}

async function namesIn(owner: string, path: string): Promise<string[]> {
  return await readdir(path).catch((error: unknown) => {
    throw new ConfigError(
      `${owner}: the folder cannot be read (${String(error)}). Create it and put *.cedar files in it.`,
    );
  });
}

/** A forbid in a file that nobody reads would weaken silently. */
async function refuseOverlooked(owner: string, path: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const within = await readdir(join(path, name)).catch(() => []);
    if (looksOverlooked(name) || within.some((file) => /\.cedar$/i.test(file))) {
      throw new ConfigError(
        `${owner}: ${name} would not be read. Policies are *.cedar and schemas *.cedarschema, in this folder itself.`,
      );
    }
  }
}

function looksOverlooked(name: string): boolean {
  if (/\.cedar(?:schema)?$/.test(name)) return false;
  return /\.cedar(?:\.?schema)?(?:\.json)?$/i.test(name);
}

async function readTexts(
  owner: string,
  path: string,
  names: readonly string[],
  ending: '.cedar' | '.cedarschema',
): Promise<NamedTexts> {
  const texts = names
    .filter((name) => name.endsWith(ending))
    .toSorted()
    .map(async (name): Promise<[string, string]> => [name, decode(owner, name, await bytesOf(owner, path, name))]);
  return Object.fromEntries(await Promise.all(texts));
}

/** Its shape is checked with the policies. */
async function readEntities(owner: string, path: string): Promise<readonly Resource[]> {
  const bytes = await bytesOf(owner, path, ENTITIES);
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new ConfigError(`${owner}: ${brokenLine(ENTITIES, bytes)}: ${json.problem}.`);
  if (Array.isArray(json.value)) return json.value as readonly Resource[];
  throw new ConfigError(`${owner}: ${ENTITIES} must be a list of { type, id, parents, attributes }.`);
}

async function bytesOf(owner: string, path: string, name: string): Promise<Buffer> {
  return await readFile(join(path, name)).catch((error: unknown) => {
    throw new ConfigError(`${owner}: ${name} cannot be read (${String(error)}).`);
  });
}

function decode(owner: string, name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${owner}: ${name} is not UTF-8. Save it as UTF-8.`);
  }
}
