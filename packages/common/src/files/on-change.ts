import { type FSWatcher, watch } from 'node:fs';

/**
 * Calls `check` when something in the folder may have changed: at each notice of the operating system, and at each poll.
 * It watches the folder, not the file, because editors and deployments replace the file or the target of a symbolic link.
 * Returns a function that stops it. It does not keep the process alive.
 */
export function onChange(folder: string, pollSeconds: number, check: () => void): () => void {
  let watcher = watchFolder(folder, check);
  const poll = setInterval(() => {
    // The system watches a folder and not its name, which another folder may have by now.
    watcher?.close();
    watcher = watchFolder(folder, check);
    check();
  }, pollSeconds * 1000).unref();
  return () => {
    clearInterval(poll);
    watcher?.close();
  };
}

/** If there is no watcher (none left in the system), polling still finds every change. */
function watchFolder(folder: string, notice: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, notice);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
