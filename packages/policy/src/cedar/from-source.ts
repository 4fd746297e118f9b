import { resolve } from 'node:path';
import {
  checkOptionNames,
  ConfigError,
  type FileSet,
  flagOption,
  LiveFiles,
  readFollowing,
  type ReloadResult,
  warn,
} from '@countersign/common';
import { type CedarEngine, type CedarSource, createCedarEngine, textsOf } from './engine.js';
import { readFolder, sourceOf } from './load/folder.js';
import { MANIFEST } from './load/manifest.js';

export interface CedarFromDirectoryOptions {
  /** Whether to follow changes of the folder. Default true. False: only `reload()` puts a change in force. */
  readonly watch?: boolean;
  /** Called after every reload that following caused. Default: a process warning if a reload failed. */
  readonly onReload?: (result: ReloadResult) => unknown;
  /**
   * Interval in seconds at which the folder is also polled, as network file systems and some container mounts send no
   * change events. Default 5.
   */
  readonly pollSeconds?: number;
}

/** An engine whose policies come from a folder. */
export interface CedarDirectory extends CedarEngine {
  /** Reloads the folder atomically and now: on any problem the old policies remain in force. */
  reload(): Promise<ReloadResult>;
  /**
   * Replaces what the folder has given. If that succeeds, a change of the folder that was made before is not loaded any
   * more, and a later one takes the place of this source. The folder is read first: one that hangs delays it.
   */
  replace(source: CedarSource): Promise<ReloadResult>;
  /** Ends the following. From then on `decide` and `decideMany` fail, since the folder may have changed. */
  close(): void;
}

/**
 * Loads and validates every `*.cedar` and `*.cedarschema` file of a folder, without subfolders. Decisions name a policy
 * `file.cedar#id` by its `@id`, or by its position in the file, from 0. An optional `entities.json` lists the parents and
 * attributes of roles, users and groups: `[{ type, id, parents, attributes }]`.
 *
 * Changes of the folder take effect without a restart, once nothing in it has changed for a second; a set that is wrong
 * changes nothing and is reported to `onReload`. Following does not keep the process alive.
 *
 * Waits up to a second if a file changed during the last second, as it may be incomplete. If the folder has a
 * `SHA256SUMS` file, in the format of `sha256sum`, it must list exactly the files that are read. Any other file is
 * refused, except notes (`*.md`, `README…`, `LICENSE…`), `*.yaml`, `cases.json`, `*.rego`, `*.wasm` and names that begin with a dot.
 *
 * @throws ConfigError with file and line, if the folder cannot be read, has no policy, or a policy does not parse or
 * validate, or reuses an `@id`.
 *
 * @example
 * const policy = await cedarFromDirectory('policies');
 */
export async function cedarFromDirectory(
  path: string,
  options: CedarFromDirectoryOptions = {},
): Promise<CedarDirectory> {
  // An empty one would be the working directory.
  if (typeof path !== 'string' || path === '')
    throw new ConfigError("cedarFromDirectory: name the folder, like 'policies'.");
  const owner = `cedarFromDirectory('${path}')`;
  checkOptionNames(owner, options, ['watch', 'onReload', 'pollSeconds']);
  const watch = flagOption(owner, 'watch', options.watch === undefined || options.watch);
  const { pollSeconds, onReload } = readFollowing(owner, 'policies', options);
  const directory = resolve(path);
  const folder = new Folder();
  const files = await LiveFiles.open({ owner, read: () => readFolder(directory), load: (set) => folder.load(set) });
  const { engine } = folder;
  if (engine.actions === undefined) {
    warn(
      `${owner}: there is no *.cedarschema file, so that no typo in a policy can be found. Write one (docs/guides/policy.md).`,
    );
  }
  if (watch) files.follow({ folder: directory, pollSeconds, onReload });
  const decide = engine.decide.bind(engine);
  const decideMany = engine.decideMany.bind(engine);
  const replace = engine.replace.bind(engine);
  const following: Pick<CedarDirectory, 'decide' | 'decideMany' | 'reload' | 'replace' | 'close'> = {
    decide(query) {
      files.checkOpen();
      return decide(query);
    },
    async decideMany(query, resources, signal) {
      files.checkOpen();
      return await decideMany(query, resources, signal);
    },
    reload: () => files.reload(),
    async replace(source) {
      // The caller may change its object while the folder is read.
      const texts = textsOf(source);
      return await files.replace(() => replace(texts));
    },
    close: () => files.close(),
  };
  return Object.assign(engine, following);
}

/** The engine of a folder. Exists after the first successful load. */
class Folder {
  #engine: CedarEngine | undefined;
  /** The engine's own. That of the directory waits for a reading to end. */
  #replace: CedarEngine['replace'] | undefined;
  #hasManifest = false;

  get engine(): CedarEngine {
    if (this.#engine === undefined) throw new Error('No policies are loaded.');
    return this.#engine;
  }

  /** @throws ConfigError; the old policies then remain in force. */
  async load(set: FileSet): Promise<void> {
    const hasManifest = set.files.has(MANIFEST);
    if (this.#hasManifest && !hasManifest) {
      throw new ConfigError(`${MANIFEST} is gone. Write it again, or restart without it.`);
    }
    await this.#apply(await sourceOf(set));
    this.#hasManifest = hasManifest;
  }

  async #apply(source: CedarSource): Promise<void> {
    if (this.#replace === undefined) {
      const created = await createCedarEngine(source);
      if (!created.ok) throw new ConfigError(created.problem);
      this.#engine = created.engine;
      this.#replace = created.engine.replace.bind(created.engine);
    } else {
      const replaced = await this.#replace(source);
      if (!replaced.ok) throw new ConfigError(replaced.problem);
    }
  }
}

/**
 * Creates an engine from text. Decisions name a single text `policies.cedar`.
 *
 * @throws ConfigError as {@link cedarFromDirectory} does.
 *
 * @example
 * const policy = await cedarFromText({
 *   policies: '@id("readers") permit(principal in Role::"reader", action == Action::"invoice.read", resource);',
 * });
 */
export async function cedarFromText(source: CedarSource): Promise<CedarEngine> {
  const owner = 'cedarFromText';
  if (typeof source !== 'object' || source === null) throw new ConfigError(`${owner}: pass { policies, schema }.`);
  checkOptionNames(owner, source, ['policies', 'schema', 'entities']);
  if (!isTextOrTexts(source.policies))
    throw new ConfigError(`${owner}: 'policies' must be text, or texts by file name.`);
  if (source.schema !== undefined && !isTextOrTexts(source.schema)) {
    throw new ConfigError(`${owner}: 'schema' must be text, or texts by file name.`);
  }
  if (source.entities !== undefined && !Array.isArray(source.entities)) {
    throw new ConfigError(`${owner}: 'entities' must be a list of { type, id, parents, attributes }.`);
  }
  const loaded = await createCedarEngine(source);
  if (!loaded.ok) throw new ConfigError(`${owner}: ${loaded.problem}`);
  return loaded.engine;
}

function isTextOrTexts(value: unknown): boolean {
  if (typeof value === 'string') return true;
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}
