/** Groups neighbours that are alike. */
export function runsOf<Item>(
  items: readonly Item[],
  alike: (a: Item, b: Item) => boolean,
): (readonly [Item, ...Item[]])[] {
  const runs: [Item, ...Item[]][] = [];
  for (const item of items) {
    const run = runs.at(-1);
    if (run !== undefined && alike(run[0], item)) run.push(item);
    else runs.push([item]);
  }
  return runs;
}
