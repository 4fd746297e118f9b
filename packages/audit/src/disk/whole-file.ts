import { linkSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '@countersign/common';
import { syncDirectory } from '../log/log-files.js';

/** What systems say where a file cannot have two names, like exFAT and some network shares. */
const noLinks = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'EMLINK'];

/**
 * Makes a file that is never seen half written, durably and for its owner alone. Never through a symbolic link.
 *
 * @returns false if there is something of that name.
 */
export function createWhole(path: string, content: string | Uint8Array, linkAs: typeof linkSync = linkSync): boolean {
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

/** Makes a file of this name, or of one like it that nothing has. @returns its path. */
export function createBeside(path: string, content: string | Uint8Array): string {
  for (;;) {
    const free = freeName(path);
    if (createWhole(free, content)) return free;
  }
}

/** A name that nothing has: this one, or one like it. What was put aside is never written over. */
export function freeName(path: string): string {
  let name = path;
  for (let count = 2; isTaken(name); count++) name = `${path}-${count}`;
  return name;
}

/** Also by a link that leads nowhere. */
function isTaken(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Puts a file in place of what has its name, whole or not at all; a symbolic link is replaced, not followed. */
export function replaceWhole(path: string, content: string, mode: number): void {
  renameSync(writeDraft(path, content, mode), path);
}

function writeDraft(path: string, content: string | Uint8Array, mode: number): string {
  const draft = `${path}.${process.pid}`;
  // In a container the next process may have the number of one that crashed here.
  rmSync(draft, { force: true });
  try {
    writeFileSync(draft, content, { flag: 'wx', mode, flush: true });
  } catch (error) {
    // A full disk takes the name, though not what belongs in it.
    rmSync(draft, { force: true });
    throw error;
  }
  return draft;
}

/** @returns false if the file system has no links. */
function link(makeLink: () => void): boolean {
  try {
    makeLink();
    return true;
  } catch (error) {
    if (noLinks.includes(codeOf(error))) return false;
    throw error;
  }
}
