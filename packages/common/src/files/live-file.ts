import { dirname, resolve } from 'node:path';
import { ConfigError } from '../errors/config-error.js';
import { checkOptionNames } from '../options/option-names.js';
import { readListener, warn } from '../options/listener.js';
import { numberOption } from '../options/option-values.js';
import { codeOf, messageOf } from '../errors/error-message.js';
import { readFileSet } from './file-set.js';
import { type Following, LiveFiles, type ReloadResult } from './live-files.js';

export interface LiveFileOptions {
  /**
   * Called after every reload: it succeeded, or why the previous content stays in force. Default: a process warning when
   * a reload fails.
   */
  readonly onReload?: (result: ReloadResult) => unknown;
  /**
   * Seconds between polls, besides the notices of the operating system, which network file systems and some container
   * mounts do not send. Default 5.
   */
  readonly pollSeconds?: number;
}

/** The content of a file at its last successful read. */
export interface LiveFile<T> {
  /** @throws Error once the file is closed. */
  current(): T;
  close(): void;
}

interface LiveFileParts<T> {
  /** The public function whose option the file is, for messages. */
  readonly owner: string;
  /** The kind of content, for messages. */
  readonly holds: string;
  /** What to do where there is no such file, for messages. */
  readonly remedy?: string;
  /** Throws a ConfigError when the content is wrong. */
  readonly read: (bytes: Buffer, file: string) => T;
}

/**
 * Reads a JSON file and follows its changes. New content that is wrong changes nothing and is reported. Neither watching nor
 * waiting keeps the process alive.
 *
 * @throws ConfigError (as a rejection) when an option is wrong, or the file cannot be read or is wrong at start.
 */
export async function openLiveFile<T>(
  path: string,
  { owner, holds, remedy, read }: LiveFileParts<T>,
  options: LiveFileOptions,
): Promise<LiveFile<T>> {
  checkOptionNames(owner, options, ['onReload', 'pollSeconds']);
  // An empty path would be the working directory.
  if (typeof path !== 'string' || path === '') throw new ConfigError(`${owner}: name the ${holds} file.`);
  const { onReload, pollSeconds } = readFollowing(owner, holds, options);
  const file = resolve(path);
  let value: T | undefined;
  const files = await LiveFiles.open({
    owner,
    isWholeOrWrong: true,
    read: async () => {
      try {
        // A start need not wait for it to settle.
        return { ...(await readFileSet([[file, file]])), changedMs: 0 };
      } catch (error) {
        const advice = codeOf(error) === 'ENOENT' && remedy !== undefined ? `. ${remedy}` : '';
        throw new Error(`cannot read the ${holds} file: ${messageOf(error)}${advice}`, { cause: error });
      }
    },
    load: ({ files: contents }) => {
      for (const bytes of contents.values()) value = read(bytes, file);
    },
  });
  files.follow({ folder: dirname(file), pollSeconds, onReload });
  return {
    current() {
      files.checkOpen();
      return value as T;
    },
    close: () => files.close(),
  };
}

/** Reads the options of following files. @throws ConfigError */
export function readFollowing(owner: string, holds: string, options: LiveFileOptions): Omit<Following, 'folder'> {
  const { pollSeconds = 5 } = options;
  const onReload = readListener(owner, 'onReload', options.onReload, warnOfProblem);
  /** A file that becomes unreadable must not go unnoticed: entries removed from it are still in force. */
  function warnOfProblem(result: ReloadResult): void {
    if (!result.ok) warn(`${owner}: ${result.problem.replace(/\.?$/, '.')} The ${holds} read before stay in force.`);
  }
  return { onReload, pollSeconds: numberOption(owner, 'pollSeconds', pollSeconds, 0.001, 3600) };
}
