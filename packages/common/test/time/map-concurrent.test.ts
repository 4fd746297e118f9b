import { expect, it } from 'vitest';
import { mapConcurrent } from '../../src/time/map-concurrent.js';

it('work that never waits lets others have their turn', async () => {
  let turns = 0;
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  const items = Array.from({ length: 64 }, (_each, place) => place);
  const results = await mapConcurrent(items, (item) => {
    const until = performance.now() + 1;
    while (performance.now() < until);
    return item;
  });
  clearImmediate(next);
  expect(results).toEqual(items);
  expect(turns).toBeGreaterThan(1);
});
