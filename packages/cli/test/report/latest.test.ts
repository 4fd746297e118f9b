import { expect, it } from 'vitest';
import { Latest } from '../../src/report/latest.js';

it('Latest keeps the latest items of any number', () => {
  for (const count of [0, 1, 2, 3, 5, 6, 7, 100]) {
    const latest = new Latest<number>(3);
    const all = Array.from({ length: count }, (_, at) => at);
    for (const one of all) latest.take(one);
    expect(latest.list()).toEqual(all.slice(-3));
  }
});
