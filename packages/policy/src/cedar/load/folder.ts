import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  brokenLine,
  codeOf,
  ConfigError,
  fileBehind,
  type FileSet,
  listFolder,
  parseStrictJson,
  readFileSet,
  type Turns,
  yieldEvery,
} from '@countersign/common';
import type { Resource } from '../../engine.js';
import { decodeUtf8 } from './decode.js';
import { checkManifest, MANIFEST } from './manifest.js';
import type { PolicySetTexts } from './policy-set.js';
import { LOAD_MILLISECONDS } from './read-policy-set.js';
import type { NamedTexts } from './schema.js';

const ENTITIES = 'entities.json';

/** Hidden files, and drafts and locks of editors, also if they look like policies. */
const HIDDEN = /^\.|^#.*#$/;

/** How editors name what a file was before. */
const BACKUP = /(?:\.~\d+)?~$/;

/** Not read, and no mistake: test cases of `countersign policy test`, notes, sources of OPA. */
const IGNORED = /^(?:README|LICENSE)|^cases\.json$|\.(?:md|ya?ml|rego|wasm)$/;

/** Reads the policy files of a folder. @throws Error (as a rejection) */
export async function readFolder(path: string): Promise<FileSet> {
  // All files are of one folder, also if a link to it is swapped meanwhile, and swapped back.
  const folder = await fileBehind(path);
  const before = await listingOf(folder);
  await refuseUnknown(folder, before.names);
  const { files, digests, changedMs } = await readFileSet(before.read.map((name) => [name, join(folder, name)]));
  const after = await listingOf(path);
  // If links were swapped meanwhile, the files may be of two releases, however old each of them is.
  const isOne = isDeepStrictEqual(before, after);
  return { files, digests, changedMs: isOne ? Math.max(changedMs, after.changedMs) : Infinity };
}

/** What a folder holds at one moment. */
interface Listing {
  readonly names: readonly string[];
  /** The names of the files that are read, and where they lead. */
  readonly read: readonly string[];
  readonly targets: readonly string[];
  readonly changedMs: number;
}

async function listingOf(path: string): Promise<Listing> {
  const { value, changedMs } = await listFolder(path).catch((error: unknown) => {
    throw new Error(`the folder cannot be read (${String(error)}). Create it and put *.cedar files in it.`);
  });
  // Kubernetes stores a ConfigMap in folders whose names begin with dots, and links to them.
  const names = value.filter((name) => !HIDDEN.test(name) && !isBackup(name, value));
  const read = names.filter(isRead);
  const targets: string[] = [];
  for (const name of read) targets.push(await fileBehind(join(path, name)));
  return { names, read, targets, changedMs };
}

/** Decodes the files of a folder. @throws ConfigError (as a rejection) */
export async function sourceOf(set: FileSet): Promise<PolicySetTexts> {
  checkManifest(set);
  const turns = yieldEvery(LOAD_MILLISECONDS);
  const policies = await textsIn(set, '.cedar', turns);
  const schema = await textsIn(set, '.cedarschema', turns);
  const entities = set.files.get(ENTITIES);
  return {
    policies,
    ...(Object.keys(schema).length === 0 ? {} : { schema }),
    ...(entities === undefined ? {} : { entities: entitiesIn(entities) }),
  };
}

/** A forbid or a group in a file that is not read would have no effect, without any sign of it. */
async function refuseUnknown(path: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (isRead(name) || (await hasNoPolicies(join(path, name), name))) continue;
    throw new Error(
      `${JSON.stringify(name)} would not be read. Policies are *.cedar, schemas *.cedarschema, entities ${ENTITIES} ` +
        `and digests ${MANIFEST}, in this folder itself. Rename it, or move it away.`,
    );
  }
}

/** Without its original, it may be a policy that somebody has renamed. */
function isBackup(name: string, names: readonly string[]): boolean {
  return BACKUP.test(name) && names.includes(name.replace(BACKUP, ''));
}

function isRead(name: string): boolean {
  return /\.cedar(?:schema)?$/.test(name) || name === ENTITIES || name === MANIFEST;
}

/** A file that is no mistake, an empty folder, or one that nobody but root can read, such as lost+found. */
async function hasNoPolicies(path: string, name: string): Promise<boolean> {
  try {
    return (await listFolder(path)).value.length === 0;
  } catch (error) {
    return codeOf(error) === 'EACCES' || IGNORED.test(name);
  }
}

async function textsIn({ files }: FileSet, ending: '.cedar' | '.cedarschema', turns: Turns): Promise<NamedTexts> {
  const texts: [string, string][] = [];
  for (const [name, bytes] of files) {
    if (name.endsWith(ending)) texts.push([name, await decode(name, bytes, turns)]);
  }
  return Object.fromEntries(texts);
}

/** The members are checked later, with the policies. */
function entitiesIn(bytes: Buffer): readonly Resource[] {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new ConfigError(`${brokenLine(ENTITIES, bytes)}: ${json.problem}.`);
  if (Array.isArray(json.value)) return json.value as readonly Resource[];
  throw new ConfigError(`${ENTITIES} must be a list of { type, id, parents, attributes }.`);
}

async function decode(name: string, bytes: Uint8Array, turns: Turns): Promise<string> {
  try {
    return await decodeUtf8(bytes, turns);
  } catch {
    throw new ConfigError(`${name} is not UTF-8. Save it as UTF-8.`);
  }
}
