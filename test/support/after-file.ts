const cleanups: (() => unknown)[] = [];

/**
 * Registers a cleanup that runs after the current test file. A module is loaded once for all files of a worker
 * (`isolate: false`), so its own `afterAll` would run after the first of them only.
 */
export function afterFile(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** Runs the cleanups, newest first. */
export async function cleanUp(): Promise<void> {
  for (let next = cleanups.pop(); next !== undefined; next = cleanups.pop()) await next();
}
