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

/** Reads the policy files of a folder. @throws Error (as a rejection) */
export async function readFolder(path: string): Promise<FileSet> {
  const { value: names, changedMs } = await listFolder(path).catch((error: unknown) => {
    throw new Error(`the folder cannot be read (${String(error)}). Create it and put *.cedar files in it.`);
  });
  await refuseIgnoredFiles(path, names);
  const read = names.filter((name) => /\.cedar(?:schema)?$/.test(name) || name === ENTITIES || name === MANIFEST);
  return await readFileSet(
    read.map((name) => [name, join(path, name)]),
    changedMs,
  );
}

/** Decodes the files of a folder. @throws ConfigError */
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

/** A forbid in a file that is not read would have no effect, without any sign of it. */
async function refuseIgnoredFiles(path: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const nested = await namesInSubfolder(path, name);
    if (looksIgnored(name) || nested.some((file) => /\.cedar$/i.test(file))) {
      throw new Error(
        `${name} would not be read. Policies are *.cedar and schemas *.cedarschema, in this folder itself.`,
      );
    }
  }
}

/** The names in a subfolder; empty if the name is not a readable folder. */
async function namesInSubfolder(path: string, name: string): Promise<readonly string[]> {
  // Kubernetes stores a ConfigMap in folders with such names and links to them.
  if (name.startsWith('..')) return [];
  return await readdir(join(path, name)).catch((error: unknown) => {
    // A file, a broken link, or a folder such as lost+found.
    if (['ENOTDIR', 'ENOENT', 'EACCES'].includes(codeOf(error))) return [];
    throw error;
  });
}

function looksIgnored(name: string): boolean {
  if (/\.cedar(?:schema)?$/.test(name)) return false;
  return /\.cedar(?:\.?schema)?(?:\.json)?$/i.test(name);
}

function textsIn({ files }: FileSet, ending: '.cedar' | '.cedarschema'): NamedTexts {
  return Object.fromEntries(
    [...files].filter(([name]) => name.endsWith(ending)).map(([name, bytes]) => [name, decode(name, bytes)]),
  );
}

/** The members are checked later, with the policies. */
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
