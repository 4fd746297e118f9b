import { execFile, execFileSync } from 'node:child_process';
import { devNull } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError, checkOptionNames } from '../config-error.js';
import { textOf } from '../text-of.js';
import { wholeNumber } from '../whole-number.js';
import { fileWitness } from './file-witness.js';
import type { CheckpointWitness } from './witness.js';

export interface GitWitnessOptions {
  /** Push each commit to where the branch is pushed. Default false: then somebody else must fetch, or push. */
  readonly push?: boolean;
  /** Longest wait for one call of git, in seconds. Default 30. */
  readonly timeoutSeconds?: number;
}

/** Nothing of the repository is run, and nothing asks for a key or a name: each commit is a program's. */
const settings = {
  'core.hooksPath': devNull,
  'core.fsmonitor': 'false',
  'commit.gpgSign': 'false',
  'user.name': 'Countersign',
  'user.email': 'countersign@localhost.invalid',
};
const fixed = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

const run = promisify(execFile);

interface Call {
  readonly cwd: string;
  readonly timeout: number;
  readonly windowsHide: true;
}

/**
 * Appends each checkpoint to a file in a git work tree, and commits it. It is a witness once the commit is where whoever
 * can write the log cannot rewrite the branch: pushed to a server that refuses forced pushes, or fetched by others.
 * Hooks of the repository are not run. Needs the program `git`.
 *
 * @throws ConfigError if there is no git, or the file is in no work tree, or a symbolic link.
 *
 * @example
 * auditFile('audit', { witnesses: [gitWitness('/srv/witness/api-1.checkpoints', { push: true })] });
 */
export function gitWitness(path: string, options: GitWitnessOptions = {}): CheckpointWitness {
  if (typeof path !== 'string' || path === '') throw new ConfigError('gitWitness: name a file in a git work tree.');
  checkOptionNames('gitWitness', options, ['push', 'timeoutSeconds']);
  const { push = false, timeoutSeconds = 30 } = options;
  if (typeof push !== 'boolean') throw new ConfigError("gitWitness: 'push' must be true or false.");
  const file = resolve(path);
  const timeout = 1000 * wholeNumber('gitWitness', 'timeoutSeconds', timeoutSeconds, 1, 300);
  const call: Call = { cwd: dirname(file), timeout, windowsHide: true };
  checkWorkTree(file, call);
  const witness = fileWitness(file);
  return {
    name: path,
    async receive(note) {
      await witness.receive(note);
      const name = basename(file);
      await git(call, 'add', '--', name);
      await git(call, 'commit', '--quiet', '--no-verify', '--message', titleOf(note), '--', name);
      if (push) await git(call, 'push', '--quiet', '--no-verify');
    },
  };
}

function titleOf(note: string): string {
  const [origin, size] = note.split('\n');
  return `Checkpoint: ${origin}, ${size} records`;
}

async function git(call: Call, ...words: readonly string[]): Promise<void> {
  try {
    await run('git', [...fixed, ...words], call);
  } catch (error) {
    throw new Error(`git ${words[0]} failed: ${reasonOf(error)}`, { cause: error });
  }
}

function checkWorkTree(file: string, call: Call): void {
  let answer: string;
  try {
    answer = execFileSync('git', [...fixed, 'rev-parse', '--is-inside-work-tree'], {
      ...call,
      stdio: 'pipe',
    }).toString();
  } catch (error) {
    throw new ConfigError(`gitWitness: '${file}' is in no work tree that git can use: ${reasonOf(error)}`);
  }
  if (answer.trim() !== 'true') throw new ConfigError(`gitWitness: '${file}' is in no git work tree.`);
}

/** What git said; what became of the process, if it said nothing. */
function reasonOf(error: unknown): string {
  const { stderr, killed } = error as { readonly stderr?: string | Buffer; readonly killed?: boolean };
  if (killed === true) return 'it took too long';
  const said = stderr?.toString().trim() ?? '';
  return said === '' ? textOf(error) : said;
}
