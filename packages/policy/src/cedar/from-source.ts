import {
  checkOptionNames,
  ConfigError,
  type FileSet,
  LiveFiles,
  readFollowing,
  type ReloadResult,
  warn,
} from '@countersign/common';
import { type CedarEngine, type CedarSource, createCedarEngine } from './engine.js';
import { readFolder, sourceOf } from './load/folder.js';
import { MANIFEST } from './load/manifest.js';

export interface CedarFromDirectoryOptions {
  /** Follow changes of the folder. Default false: they take effect by `reload()` only. */
  readonly watch?: boolean;
  /** Told of every reload that watching led to. Default: a process warning when the old policies had to stay. */
  readonly onReload?: (result: ReloadResult) => unknown;
  /**
   * How often the folder is looked at besides the notices of the operating system, which network file systems and some
   * container mounts do not send. In seconds. Default 5.
   */
  readonly pollSeconds?: number;
}

/** Decides by the policies of a folder. */
export interface CedarDirectory extends CedarEngine {
  /** Reads the folder again and puts it in force, whole or not at all: on any problem the old policies stay. */
  reload(): Promise<ReloadResult>;
  close(): void;
}

/**
 * Reads every `*.cedar` and `*.cedarschema` file of a folder (not of folders within) and validates them. Decisions name
 * policies `file.cedar#id`, with the policy's `@id`, or its place in the file, from 0. A file `entities.json` may say
 * which roles are in which, and which users in which groups: a list of `{ type, id, parents, attributes }`.
 *
 * Waits up to a second if a file was changed during the last second: somebody may still be writing. If there is a file
 * `SHA256SUMS`, as `sha256sum` writes it, it must name each of these files, and no other.
 *
 * @throws ConfigError naming file and line, if the folder cannot be read, there is no policy, or one does not parse,
 * validate, or bear a name of its own.
 *
 * @example
 * const policy = await cedarFromDirectory('policies', { watch: true });
 */
export async function cedarFromDirectory(
  path: string,
  options: CedarFromDirectoryOptions = {},
): Promise<CedarDirectory> {
  const owner = `cedarFromDirectory('${path}')`;
  checkOptionNames(owner, options, ['watch', 'onReload', 'pollSeconds']);
  const { watch = false } = options;
  if (typeof watch !== 'boolean') throw new ConfigError(`${owner}: 'watch' must be true or false.`);
  const { pollSeconds, onReload } = readFollowing(owner, 'policies', options);
  const folder = new Folder();
  const files = await LiveFiles.open({ owner, read: () => readFolder(path), load: (set) => folder.load(set) });
  const { engine } = folder;
  if (engine.actions === undefined) {
    warn(
      `${owner}: there is no *.cedarschema file, so that no typo in a policy can be found. Write one (docs/guides/policy.md).`,
    );
  }
  if (watch) files.follow({ folder: path, pollSeconds, onReload });
  return Object.assign(engine, { reload: () => files.reload(), close: () => files.close() });
}

/** The engine of a folder, from the first set on. */
class Folder {
  #engine: CedarEngine | undefined;
  #hasManifest = false;

  get engine(): CedarEngine {
    if (this.#engine === undefined) throw new Error('No policies are loaded.');
    return this.#engine;
  }

  /** @throws ConfigError; then the policies before stay in force. */
  load(set: FileSet): void {
    const hasManifest = set.files.has(MANIFEST);
    if (this.#hasManifest && !hasManifest) {
      throw new ConfigError(`${MANIFEST} is gone. Write it again, or restart without it.`);
    }
    this.#put(sourceOf(set));
    this.#hasManifest = hasManifest;
  }

  #put(source: CedarSource): void {
    if (this.#engine === undefined) {
      const created = createCedarEngine(source);
      if (!created.ok) throw new ConfigError(created.problem);
      this.#engine = created.engine;
    } else {
      const replaced = this.#engine.replace(source);
      if (!replaced.ok) throw new ConfigError(replaced.problem);
    }
  }
}

/**
 * Takes policies as text. In decisions, a single text goes by the name of `policies.cedar`.
 *
 * @throws ConfigError as {@link cedarFromDirectory} does.
 *
 * @example
 * const policy = await cedarFromText({
 *   policies: '@id("readers") permit(principal in Role::"reader", action == Action::"invoice.read", resource);',
 * });
 */
// Async so that all engines are created alike, and loading may move off the main thread.
export async function cedarFromText(source: CedarSource): Promise<CedarEngine> {
  const owner = 'cedarFromText';
  if (typeof source !== 'object' || source === null) throw new ConfigError(`${owner}: pass { policies, schema }.`);
  checkOptionNames(owner, source, ['policies', 'schema', 'entities']);
  if (!isText(source.policies)) throw new ConfigError(`${owner}: 'policies' must be text, or texts by file name.`);
  if (source.schema !== undefined && !isText(source.schema)) {
    throw new ConfigError(`${owner}: 'schema' must be text, or texts by file name.`);
  }
  if (source.entities !== undefined && !Array.isArray(source.entities)) {
    throw new ConfigError(`${owner}: 'entities' must be a list of { type, id, parents, attributes }.`);
  }
  const loaded = createCedarEngine(source);
  if (!loaded.ok) throw new ConfigError(`${owner}: ${loaded.problem}`);
  return loaded.engine;
}

function isText(value: unknown): boolean {
  if (typeof value === 'string') return true;
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}
