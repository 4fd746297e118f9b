import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  brokenLine,
  codeOf,
  ConfigError,
  type FileSet,
  listFolder,
  parseStrictJson,
  readFileSet,
} from '@countersign/common';
import type { Resource } from '../../engine.js';
import { checkManifest, MANIFEST } from './manifest.js';
import type { PolicySetTexts } from './policy-set.js';
import type { NamedTexts } from './schema.js';

const ENTITIES = 'entities.json';

/** Reads the files of a folder that say something of policy. @throws Error (as a rejection) */
export async function readFolder(path: string): Promise<FileSet> {
  const { value: names, changedMs } = await listFolder(path).catch((error: unknown) => {
    throw new Error(`the folder cannot be read (${String(error)}). Create it and put *.cedar files in it.`);
  });
  await refuseOverlooked(path, names);
  const read = names.filter((name) => /\.cedar(?:schema)?$/.test(name) || name === ENTITIES || name === MANIFEST);
  return await readFileSet(
    read.map((name) => [name, join(path, name)]),
    changedMs,
  );
}

/** What the files of a folder say. @throws ConfigError */
export function sourceOf(set: FileSet): PolicySetTexts {
  checkManifest(set);
  const policies = textsIn(set, '.cedar');
  const schema = textsIn(set, '.cedarschema');
  const entities = set.files.get(ENTITIES);
  return {
    policies,
    ...(Object.keys(schema).length === 0 ? {} : { schema }),
    ...(entities === undefined ? {} : { entities: entitiesIn(entities) }),
  };
}

/** A forbid in a file that nobody reads would weaken silently. */
async function refuseOverlooked(path: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const within = await namesWithin(path, name);
    if (looksOverlooked(name) || within.some((file) => /\.cedar$/i.test(file))) {
      throw new Error(
        `${name} would not be read. Policies are *.cedar and schemas *.cedarschema, in this folder itself.`,
      );
    }
  }
}

/** Names in a folder of the folder. */
async function namesWithin(path: string, name: string): Promise<readonly string[]> {
  // Kubernetes keeps the files of a ConfigMap in folders with such names, and links to them.
  if (name.startsWith('..')) return [];
  return await readdir(join(path, name)).catch((error: unknown) => {
    // A file; a link to nothing; a folder such as lost+found.
    if (['ENOTDIR', 'ENOENT', 'EACCES'].includes(codeOf(error))) return [];
    throw error;
  });
}

function looksOverlooked(name: string): boolean {
  if (/\.cedar(?:schema)?$/.test(name)) return false;
  return /\.cedar(?:\.?schema)?(?:\.json)?$/i.test(name);
}

function textsIn({ files }: FileSet, ending: '.cedar' | '.cedarschema'): NamedTexts {
  return Object.fromEntries(
    [...files].filter(([name]) => name.endsWith(ending)).map(([name, bytes]) => [name, decode(name, bytes)]),
  );
}

/** Its shape is checked with the policies. */
function entitiesIn(bytes: Buffer): readonly Resource[] {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new ConfigError(`${brokenLine(ENTITIES, bytes)}: ${json.problem}.`);
  if (Array.isArray(json.value)) return json.value as readonly Resource[];
  throw new ConfigError(`${ENTITIES} must be a list of { type, id, parents, attributes }.`);
}

function decode(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${name} is not UTF-8. Save it as UTF-8.`);
  }
}
