import { linkSync, lstatSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '@countersign/common';
import { syncDirectory } from './log-files.js';
import { answersToSignals } from './process-identity.js';
import { checkRegularFile } from './regular-file.js';

/** Errors of file systems without hard links, such as exFAT and some network shares. */
const noLinks = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'EMLINK'];

/**
 * Creates a file that no reader sees half written: durable, mode 0600, never through a symbolic link.
 *
 * @returns false if the name is taken.
 */
export function createAtomically(
  path: string,
  content: string | Uint8Array,
  linkAs: typeof linkSync = linkSync,
): boolean {
  const draft = writeDraft(path, content, 0o600);
  try {
    if (!link(() => linkAs(draft, path))) writeFileSync(path, content, { flag: 'wx', mode: 0o600, flush: true });
    syncDirectory(dirname(path));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Creates a file under this name, or with a number behind it if the name is taken. @returns its path. */
export function createUnderFreeName(path: string, content: string | Uint8Array): string {
  for (;;) {
    const free = freeName(path);
    if (createAtomically(free, content)) return free;
  }
}

/** This name, or with a number behind it if the name is taken: quarantined bytes are never overwritten. */
export function freeName(path: string): string {
  let name = path;
  for (let count = 2; isTaken(name); count++) name = `${path}-${count}`;
  return name;
}

/** A dangling symbolic link takes a name too. */
function isTaken(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Replaces a file atomically. A symbolic link is replaced, not followed.
 *
 * @throws ConfigError if a pipe, a device or a folder has the name.
 */
export function replaceAtomically(path: string, content: string, mode: number): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) checkRegularFile(path);
  renameSync(writeDraft(path, content, mode), path);
}

/** Removes the drafts of these files that a killed process left: one may hold a private key. */
export function removeStaleDrafts(directory: string, files: readonly string[]): void {
  try {
    for (const name of readdirSync(directory)) {
      const [, file = '', pid = ''] = /^(.+?)\.(?:stale-)?(\d+)$/.exec(name) ?? [];
      if (!files.includes(file) || (Number(pid) !== process.pid && answersToSignals(Number(pid)))) continue;
      rmSync(join(directory, name), { force: true });
    }
  } catch {
    // A draft that cannot be removed does not harm the log.
  }
}

function writeDraft(path: string, content: string | Uint8Array, mode: number): string {
  const draft = `${path}.${process.pid}`;
  // In a container the next process may have the pid of one that crashed here.
  rmSync(draft, { force: true });
  try {
    writeFileSync(draft, content, { flag: 'wx', mode, flush: true });
  } catch (error) {
    // A full disk creates the name without the content.
    rmSync(draft, { force: true });
    throw error;
  }
  return draft;
}

/** @returns false if the file system has no hard links. */
function link(makeLink: () => void): boolean {
  try {
    makeLink();
    return true;
  } catch (error) {
    if (noLinks.includes(codeOf(error))) return false;
    throw error;
  }
}
