import { withTimeout } from './with-timeout.js';

interface Part {
  close?(): unknown;
}

const longestCloseSeconds = 30;

/**
 * Closes parts in order, each within 30 seconds. After a failure the others are still closed: one of them may be the
 * audit log, which is sealed at its close. A part that hangs delays those after it.
 *
 * @throws the first failure, after all parts were tried.
 */
export async function closeParts(parts: readonly Part[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) await close(part).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function close(part: Part): Promise<void> {
  await withTimeout(longestCloseSeconds * 1000, Promise.resolve(part.close?.()), () => {
    throw new Error(`a part of the guard was not closed within ${longestCloseSeconds} seconds`);
  });
}
