import { execFile, execFileSync } from 'node:child_process';
import { devNull } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { checkOptionNames, ConfigError, errorMessage, integerOption } from '@countersign/common';
import { fileWitness } from './file-witness.js';
import type { CheckpointWitness } from './witness.js';

export interface GitWitnessOptions {
  /** Push each commit to where the branch is pushed. Default false: then somebody else must fetch, or push. */
  readonly push?: boolean;
  /** Longest wait for one call of git, in seconds. Default 30. */
  readonly timeoutSeconds?: number;
}

/**
 * No hook of the repository is run, and nothing asks for a key or a name: each commit is a program's. What its
 * configuration names for a push, like `core.sshCommand`, is run all the same.
 */
const settings = {
  'core.hooksPath': devNull,
  'core.fsmonitor': 'false',
  'commit.gpgSign': 'false',
  'user.name': 'Countersign',
  'user.email': 'countersign@localhost.invalid',
  // No housekeeping after a commit: it runs what `gc.recentObjectsHook` names.
  'gc.auto': '0',
  'maintenance.auto': 'false',
};
const fixed = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

const run = promisify(execFile);

/**
 * Of a partial clone, any command may fetch what is missing, from a remote like `ext::` that names a program. The
 * variable outdoes each `protocol.<name>.allow` of the configuration.
 */
const offline = { GIT_ALLOW_PROTOCOL: '', GIT_NO_LAZY_FETCH: '1' };

interface Call {
  readonly cwd: string;
  readonly timeout: number;
  readonly windowsHide: true;
  /** Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Appends each checkpoint to a file in a git work tree, and commits it. It is a witness once the commit is where whoever
 * can write the log cannot rewrite the branch: pushed to a server that refuses forced pushes, or fetched by others.
 * Hooks of the repository are not run, and no filter of `.gitattributes` is: a file that has one is refused. Needs the
 * program `git`.
 *
 * @throws ConfigError if there is no git, or the file is in no work tree, has a filter, or is a symbolic link.
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
  const timeout = 1000 * integerOption('gitWitness', 'timeoutSeconds', timeoutSeconds, 1, 300);
  const online: Call = { cwd: dirname(file), timeout, windowsHide: true };
  const call: Call = { ...online, env: { ...process.env, ...offline } };
  const name = basename(file);
  checkWorkTree(file, call);
  const filter = filterIn(file, ask(file, call, ...attributesOf(name)));
  if (filter !== undefined) throw new ConfigError(`gitWitness: ${filter}`);
  const witness = fileWitness(file);
  return {
    name: path,
    async receive(note) {
      await witness.receive(note);
      const filterNow = filterIn(file, await git(call, ...attributesOf(name)));
      if (filterNow !== undefined) throw new Error(filterNow);
      await git(call, 'add', '--', name);
      await git(call, 'commit', '--quiet', '--no-verify', '--message', titleOf(note), '--', name);
      if (push) await git(online, 'push', '--quiet', '--no-verify');
    },
  };
}

function titleOf(note: string): string {
  const [origin, size] = note.split('\n');
  return `Checkpoint: ${origin}, ${size} records`;
}

/** A filter is a program, and it or an encoding can make git commit something else than the checkpoints. */
function attributesOf(name: string): readonly string[] {
  return ['check-attr', '-z', 'filter', 'working-tree-encoding', '--', name];
}

/** What is wrong with the answer: path, attribute and value, each ended by a zero byte. */
function filterIn(file: string, answer: string): string | undefined {
  const words = answer.split('\0').slice(0, -1);
  const value = words.find((word, index) => index % 3 === 2 && word !== 'unspecified' && word !== 'unset');
  if (value === undefined) return undefined;
  return (
    `.gitattributes lets '${file}' pass through ${JSON.stringify(value)}, which could commit something else. ` +
    `Add the line '${JSON.stringify(basename(file))} -filter -working-tree-encoding' to it.`
  );
}

async function git(call: Call, ...words: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run('git', [...fixed, ...words], call);
    return stdout;
  } catch (error) {
    throw new Error(`git ${words[0]} failed: ${reasonOf(error)}`, { cause: error });
  }
}

function checkWorkTree(file: string, call: Call): void {
  const answer = ask(file, call, 'rev-parse', '--is-inside-work-tree');
  if (answer.trim() !== 'true') throw new ConfigError(`gitWitness: '${file}' is in no git work tree.`);
}

function ask(file: string, call: Call, ...words: readonly string[]): string {
  try {
    return execFileSync('git', [...fixed, ...words], { ...call, stdio: 'pipe' }).toString();
  } catch (error) {
    throw new ConfigError(`gitWitness: '${file}' is in no work tree that git can use: ${reasonOf(error)}`);
  }
}

/** What git said; what became of the process, if it said nothing. */
function reasonOf(error: unknown): string {
  const { stderr, killed } = error as { readonly stderr?: string | Buffer; readonly killed?: boolean };
  if (killed === true) return 'it took too long';
  const said = stderr?.toString().trim() ?? '';
  return said === '' ? errorMessage(error) : said;
}
