import { yieldEvery } from './yield-every.js';

/** Most questions about one list that are worked on at a time. */
const most = 16;

/** Works on every item, a few at a time; the results are in the order of the items. Rejects once some work has. */
export async function mapConcurrent<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Result | Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const open = items.entries();
  const turnOver = yieldEvery();
  let failed = false;
  async function worker(): Promise<void> {
    for (const [place, item] of open) {
      if (failed) return;
      results[place] = await work(item);
      await turnOver();
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
    return results;
  } finally {
    failed = true;
  }
}
