import { checkOptionNames, ConfigError } from '../../config-error.js';
import { readListener, warn } from '../../listener.js';
import { onChange, type ReloadResult } from '../../live-file.js';
import { textOf } from '../../text-of.js';
import { type CedarEngine, type CedarSource, createCedarEngine } from './engine.js';
import { fingerprint, readFolder } from './folder.js';

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
  const { watch, onReload, pollSeconds } = readOptions(owner, options);
  let seen = await fingerprint(path);
  const source = await readFolder(owner, path);
  if (source.schema === undefined) {
    warn(
      `${owner}: there is no *.cedarschema file, so that no typo in a policy can be found. Write one (docs/guide.md, step 2).`,
    );
  }
  const engine = createCedarEngine(owner, source);

  async function reload(): Promise<ReloadResult> {
    try {
      return engine.replace(await readFolder(owner, path));
    } catch (error) {
      return { ok: false, problem: textOf(error) };
    }
  }

  async function follow(isStopped: () => boolean): Promise<void> {
    const now = await fingerprint(path);
    if (now === seen || isStopped()) return;
    seen = now;
    const result = await reload();
    if (!isStopped()) onReload(result);
  }

  const stop = watch ? onChange(path, pollSeconds, follow) : () => undefined;
  return Object.assign(engine, { reload, close: (): void => stop() });
}

function readOptions(owner: string, options: CedarFromDirectoryOptions): Required<CedarFromDirectoryOptions> {
  checkOptionNames(owner, options, ['watch', 'onReload', 'pollSeconds']);
  const { watch = false, pollSeconds = 5 } = options;
  if (typeof watch !== 'boolean') throw new ConfigError(`${owner}: 'watch' must be true or false.`);
  const onReload = readListener(owner, 'onReload', options.onReload, warnOfProblem);
  if (!(pollSeconds > 0 && pollSeconds <= 3600)) {
    throw new ConfigError(`${owner}: 'pollSeconds' must be a number of seconds up to 3600.`);
  }
  function warnOfProblem(result: ReloadResult): void {
    if (!result.ok) warn(`${owner}: the policies read before stay: ${result.problem}`);
  }
  return { watch, pollSeconds, onReload };
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
  return createCedarEngine(owner, source);
}

function isText(value: unknown): boolean {
  if (typeof value === 'string') return true;
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}
