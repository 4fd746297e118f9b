import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyLog } from '@countersign/audit-verifier';
import { describe, expect, it } from 'vitest';
import { auditFile } from '../../src/log/audit-file.js';
import { type GitWitnessOptions, gitWitness } from '../../src/witnesses/git-witness.js';
import { ConfigError } from '@countersign/common';
import { event, type Folder, temporaryFolder } from '../events.js';

const hasGit = spawnSync('git', ['--version']).status === 0;

function git(folder: string, ...words: string[]): string {
  return execFileSync('git', ['-C', folder, ...words], { stdio: 'pipe' }).toString();
}

/** A repository with a bare one behind it, and a hook for all that git would run. */
function repository(parent: Folder): { readonly tree: string; readonly server: string; readonly ran: string } {
  const [tree, server, ran] = ['tree', 'server.git', 'hook-ran'].map((name) => join(parent.path, name)) as [
    string,
    string,
    string,
  ];
  git(parent.path, 'init', '--quiet', '--bare', 'server.git');
  git(parent.path, 'init', '--quiet', 'tree');
  git(tree, 'config', 'commit.gpgSign', 'true');
  git(tree, 'config', 'push.default', 'current');
  git(tree, 'remote', 'add', 'origin', server);
  for (const hook of ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit', 'pre-push']) {
    writeFileSync(join(tree, '.git', 'hooks', hook), `#!/bin/sh\ntouch '${ran}'\nexit 1\n`, { mode: 0o755 });
  }
  return { tree, server, ran };
}

async function writeLog(folder: Folder, path: string, options: GitWitnessOptions, troubles: string[]): Promise<void> {
  const sink = auditFile(folder.path, {
    origin: 'acme.dev/audit',
    witnesses: [gitWitness(path, options)],
    onTrouble: (text) => void troubles.push(text),
  });
  await sink.write(event('a'));
  await sink.close?.();
}

/** Git estimates how many objects there are by those whose names begin with 17. */
function isCounted(text: string): boolean {
  return createHash('sha1').update(`blob ${text.length}\0${text}`).digest('hex').startsWith('17');
}

describe.skipIf(!hasGit)('a git repository as witness [F6]', () => {
  it('holds each checkpoint in a commit of its own file, runs no hook, and verifies a log', async () => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree, server, ran } = repository(parent);
    const troubles: string[] = [];
    writeFileSync(join(tree, 'other'), 'staged by somebody else');
    git(tree, 'add', 'other');
    await writeLog(folder, join(tree, 'api-1.checkpoints'), { push: true }, troubles);
    expect(troubles).toEqual([]);
    expect(git(tree, 'status', '--short')).toBe('A  other\n');
    expect(existsSync(ran)).toBe(false);
    for (const where of [tree, server]) {
      expect(git(where, 'log', '--all', '--format=%s, %an').trim().split('\n')).toEqual([
        expect.stringMatching(/^Checkpoint: acme\.dev\/audit\/[\da-f]{8}, 2 records, Countersign$/),
        expect.stringMatching(/^Checkpoint: acme\.dev\/audit\/[\da-f]{8}, 1 records, Countersign$/),
      ]);
    }
    const checkpoints = git(server, 'show', `${git(tree, 'rev-parse', 'HEAD').trim()}:api-1.checkpoints`);
    const key = readFileSync(join(folder.path, 'checkpoint.vkey'), 'utf8');
    expect(await verifyLog(folder.path, { key, checkpoints })).toMatchObject({ ok: true, sealed: 2 });
  });

  it('commits later what it could not commit', async () => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree } = repository(parent);
    const troubles: string[] = [];
    const path = join(tree, 'sub', 'checkpoints');
    mkdirSync(join(tree, 'sub'));
    writeFileSync(join(tree, '.git', 'index.lock'), '');
    await writeLog(folder, path, {}, troubles);
    expect(troubles[0]).toMatch(/took no checkpoint, once now: Error: git add failed: .*index\.lock/);
    rmSync(join(tree, '.git', 'index.lock'));
    await writeLog(folder, path, {}, troubles);
    expect(troubles).toHaveLength(2);
    expect(git(tree, 'show', 'HEAD:sub/checkpoints')).toBe(readFileSync(path, 'utf8'));
  });

  it('a git that hangs is ended, and leaves no lock behind', async () => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree } = repository(parent);
    git(tree, 'config', 'protocol.ext.allow', 'always');
    git(tree, 'remote', 'set-url', 'origin', 'ext::sleep 3');
    const troubles: string[] = [];
    await writeLog(folder, join(tree, 'checkpoints'), { push: true, timeoutSeconds: 1 }, troubles);
    expect(troubles[0]).toMatch(/took no checkpoint, once now: Error: git \w+ failed: it took too long/);
    expect(readdirSync(join(tree, '.git')).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it.each<[string, string]>([
    ['a filter', '* filter=x'],
    ['an encoding', '*.checkpoints working-tree-encoding=UTF-16'],
  ])('%s of .gitattributes is not run: refused at the start, told later', async (_name, attributes) => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree, ran } = repository(parent);
    const path = join(tree, 'a b.checkpoints');
    git(tree, 'config', 'filter.x.clean', `touch '${ran}'; cat`);
    writeFileSync(join(tree, '.gitattributes'), `${attributes}\n`);
    expect(() => gitWitness(path)).toThrow(ConfigError);
    expect(() => gitWitness(path)).toThrow(`Add the line '"a b.checkpoints" -filter -working-tree-encoding' to it.`);
    rmSync(join(tree, '.gitattributes'));
    const witness = gitWitness(path);
    writeFileSync(join(tree, '.gitattributes'), `${attributes}\n`);
    await expect(witness.receive('acme.dev/audit\n1\n')).rejects.toThrow(/could commit something else/);
    expect(existsSync(ran)).toBe(false);
    writeFileSync(join(tree, '.gitattributes'), `${attributes}\n"a b.checkpoints" -filter -working-tree-encoding\n`);
    const troubles: string[] = [];
    await writeLog(folder, path, {}, troubles);
    expect(troubles).toEqual([]);
    expect(existsSync(ran)).toBe(false);
    expect(git(tree, 'show', 'HEAD:a b.checkpoints')).toBe(readFileSync(path, 'utf8'));
  });

  it('fetches nothing that is missing from a partial clone, and runs no program for it [N3]', async () => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree, ran } = repository(parent);
    const path = join(tree, 'checkpoints');
    await writeLog(folder, path, {}, []);
    for (const [name, value] of [
      ['core.repositoryFormatVersion', '1'],
      ['extensions.partialClone', 'origin'],
      ['remote.origin.promisor', 'true'],
      ['remote.origin.url', `ext::touch ${ran}`],
      ['protocol.allow', 'always'],
      ['protocol.ext.allow', 'always'],
    ] as const) {
      git(tree, 'config', name, value);
    }
    // As a partial clone has it: an object that is missing, and said to be the remote's.
    const blob = git(tree, 'rev-parse', 'HEAD:checkpoints').trim();
    rmSync(join(tree, '.git', 'objects', blob.slice(0, 2), blob.slice(2)));
    expect(spawnSync('git', ['-C', tree, 'cat-file', '-e', blob]).status).not.toBe(0);
    expect(existsSync(ran)).toBe(true);
    rmSync(ran);
    const troubles: string[] = [];
    await writeLog(folder, path, {}, troubles);
    expect(existsSync(ran)).toBe(false);
  });

  it('does no housekeeping, whose hook would be a program of the repository [N3]', async () => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree } = repository(parent);
    git(tree, 'config', 'gc.auto', '1');
    git(tree, 'config', 'gc.autoDetach', 'false');
    const texts = Array.from({ length: 5000 }, (_, index) => `text-${index}`);
    for (const text of texts.filter(isCounted).slice(0, 4)) {
      writeFileSync(join(tree, 'text'), text);
      git(tree, 'hash-object', '-w', 'text');
    }
    const troubles: string[] = [];
    await writeLog(folder, join(tree, 'checkpoints'), {}, troubles);
    expect(troubles).toEqual([]);
    expect(readdirSync(join(tree, '.git', 'objects', 'pack'))).toEqual([]);
  });

  it('in the middle of a merge it is told, and committed after it', async () => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree } = repository(parent);
    const path = join(tree, 'checkpoints');
    const troubles: string[] = [];
    await writeLog(folder, path, {}, troubles);
    writeFileSync(join(tree, '.git', 'MERGE_HEAD'), git(tree, 'rev-parse', 'HEAD'));
    expect(troubles).toEqual([]);
    await writeLog(folder, path, {}, troubles);
    expect(troubles[0]).toMatch(/git commit failed: .*during a merge/);
    rmSync(join(tree, '.git', 'MERGE_HEAD'));
    await writeLog(folder, path, {}, troubles);
    expect(git(tree, 'show', 'HEAD:checkpoints')).toBe(readFileSync(path, 'utf8'));
  });

  it('a push that fails is told', async () => {
    using folder = temporaryFolder();
    using parent = temporaryFolder();
    const { tree } = repository(parent);
    git(tree, 'remote', 'set-url', 'origin', join(parent.path, 'nowhere'));
    const troubles: string[] = [];
    await writeLog(folder, join(tree, 'checkpoints'), { push: true }, troubles);
    expect(troubles[0]).toMatch(/took no checkpoint, once now: Error: git push failed: .*nowhere/);
  });
});

describe('gitWitness [G5]', () => {
  it.each<[string, string, object, RegExp]>([
    ['no file', '', {}, /name a file/],
    ['a misspelt option', '/x', { pushes: true }, /Did you mean 'push'/],
    ['an option that is none', '/x', { push: 'yes' }, /'push' must be true or false/],
    ['no time', '/x', { timeoutSeconds: 0 }, /timeoutSeconds/],
    ['no repository', '/proc/self/x', {}, /in no work tree that git can use/],
    ['no folder', '/nowhere/at/all', {}, /in no work tree that git can use/],
  ])('%s', (_name, path, options, message) => {
    expect(() => gitWitness(path, options)).toThrow(ConfigError);
    expect(() => gitWitness(path, options)).toThrow(message);
  });
});
