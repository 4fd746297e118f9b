import { yieldEvery } from './yield-every.js';

/** Items of one list that are worked on at the same time. */
const most = 16;

/** Maps items, at most 16 at a time; results are in the order of the items. Rejects if the work on one item rejects. */
export async function mapConcurrent<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Result | Promise<Result>,
): Promise<readonly Result[]> {
  const [only] = items;
  if (items.length === 1) return [await work(only as Item)];
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
