import { type FSWatcher, watch } from 'node:fs';

/**
 * Calls `check` when something in the folder may have changed: at each notice of the operating system, and at each poll.
 * It watches the folder, not the file, because editors and deployments replace the file or the target of a symbolic link.
 * Returns a function that stops it. It does not keep the process alive.
 */
export function onChange(folder: string, pollSeconds: number, check: () => void): () => void {
  const poll = setInterval(check, pollSeconds * 1000).unref();
  const watcher = watchFolder(folder, check);
  return () => {
    clearInterval(poll);
    watcher?.close();
  };
}

/** If there is no watcher (none left in the system, the folder replaced), polling still finds every change. */
function watchFolder(folder: string, notice: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, notice);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
