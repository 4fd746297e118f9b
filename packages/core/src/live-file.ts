import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkOptionNames, ConfigError } from './config-error.js';
import { readListener, warn } from './listener.js';
import { textOf } from './text-of.js';

export interface LiveFileOptions {
  /** Told of every reload: that it succeeded, or why what was read before stays in force. Default: a process warning. */
  readonly onReload?: (result: ReloadResult) => unknown;
  /**
   * How often the file is looked at besides the notices of the operating system, which network file systems and some
   * container mounts do not send. In seconds. Default 5.
   */
  readonly pollSeconds?: number;
}

export type ReloadResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/** The content of a file, as it was when it could last be read. */
export interface LiveFile<T> {
  current(): T;
  close(): void;
}

interface LiveFileParts<T> {
  /** The public function whose option the file is, for messages. */
  readonly owner: string;
  /** What it holds, in a word for messages. */
  readonly holds: string;
  /** Throws a ConfigError when the content is wrong. */
  readonly read: (bytes: Buffer, file: string) => T;
}

const settleMilliseconds = 50;

/**
 * Reads a file and follows its changes. New content that is wrong changes nothing and is reported. Neither watching nor
 * waiting keeps the process alive.
 *
 * @throws ConfigError (as a rejection) when an option is wrong, or the file cannot be read or is wrong at start.
 */
export async function openLiveFile<T>(
  path: string,
  { owner, holds, read }: LiveFileParts<T>,
  options: LiveFileOptions,
): Promise<LiveFile<T>> {
  checkOptionNames(owner, options, ['onReload', 'pollSeconds']);
  // An empty one would be the working directory.
  if (typeof path !== 'string' || path === '') throw new ConfigError(`${owner}: name the ${holds} file.`);
  const { pollSeconds = 5 } = options;
  const onReload = readListener(owner, 'onReload', options.onReload, warnOfProblem);
  if (!(pollSeconds > 0 && pollSeconds <= 3600)) {
    throw new ConfigError(`${owner}: 'pollSeconds' must be a number of seconds up to 3600.`);
  }
  const file = resolve(path);
  const first = await readContent(file);
  if (!first.ok) throw new ConfigError(`${owner}: ${first.problem}`);
  let value = read(first.bytes, file);
  let seen = hash(first.bytes);

  async function readContent(name: string): Promise<Content> {
    try {
      return { ok: true, bytes: await readFile(name) };
    } catch (error) {
      const cause = error instanceof Error ? error.message : textOf(error);
      return { ok: false, problem: `cannot read the ${holds} file: ${cause}` };
    }
  }

  /** What cannot be read any more must not go unnoticed: what was taken out of the file is still in force. */
  function warnOfProblem(result: ReloadResult): void {
    if (!result.ok) warn(`${owner}: ${result.problem} The ${holds} read before stay.`);
  }

  async function reload(isStopped: () => boolean): Promise<void> {
    const content = await readContent(file);
    if (isStopped()) return;
    const now = content.ok ? hash(content.bytes) : content.problem;
    if (now === seen) return;
    seen = now;
    try {
      if (!content.ok) throw new ConfigError(content.problem);
      value = read(content.bytes, file);
      onReload({ ok: true });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      onReload({ ok: false, problem: error.message });
    }
  }

  return { current: () => value, close: onChange(dirname(file), pollSeconds, reload) };
}

type Content = { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly problem: string };

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}

/**
 * Calls `check`, one call at a time, when something in the folder may have changed. The folder is watched, not the file: editors and
 * deployments put a new file (or a new target of a symbolic link) in its place. Returns what stops it; a check that is
 * under way then learns of it by `isStopped`.
 */
export function onChange(
  folder: string,
  pollSeconds: number,
  check: (isStopped: () => boolean) => Promise<void>,
): () => void {
  let stopped = false;
  let settling: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const checkUnlessStopped = async (): Promise<void> => (stopped ? undefined : await check(() => stopped));
  const run = (): void => {
    // A check that throws must not end the watching: the next change has to take effect.
    running = running.then(checkUnlessStopped).catch((error: unknown) => warn(textOf(error)));
  };
  const poll = setInterval(run, pollSeconds * 1000).unref();
  const watcher = watchFolder(folder, () => {
    // One save makes several notices, some while the file is half written.
    clearTimeout(settling);
    settling = setTimeout(run, settleMilliseconds).unref();
  });
  return () => {
    stopped = true;
    clearTimeout(settling);
    clearInterval(poll);
    watcher?.close();
  };
}

/** Without a watcher (none left in the system, the folder replaced) polling still finds every change. */
function watchFolder(folder: string, notice: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, notice);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
