import { withTimeout } from './with-timeout.js';

interface Part {
  close?(): unknown;
}

const longestCloseSeconds = 30;

/**
 * Closes one part after the other, each within 30 seconds. One that fails leaves no other open: what is after it may be
 * the audit log, which its close seals.
 *
 * @throws the first failure, once all have been tried.
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
