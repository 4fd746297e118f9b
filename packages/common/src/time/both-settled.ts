/**
 * Resolves to nothing once both have settled. The results of a long series, each waiting for the one before, would
 * otherwise all be held until its end.
 */
export async function bothSettled(one: Promise<unknown>, other: Promise<unknown>): Promise<void> {
  await Promise.allSettled([one, other]);
}
