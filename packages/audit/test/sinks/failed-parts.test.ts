import { describe, expect, it } from 'vitest';
import { FailedParts } from '../../src/sinks/failed-parts.js';

const byLine = (): FailedParts => new FailedParts((line) => line);

describe('FailedParts', () => {
  it('counts one failure between two receipts', () => {
    const failed = byLine();
    for (const receipts of [1, 1, 1, 2, 2]) {
      failed.note(receipts);
      failed.count(['a'], receipts);
    }
    expect(failed.countOf(['a'])).toBe(2);
  });

  it('counts half of a failure that directly follows another', () => {
    const failed = byLine();
    for (const receipts of [1, 2, 3, 4]) {
      failed.note(receipts);
      failed.count(['first'], receipts);
      failed.note(receipts);
      failed.count(['second'], receipts);
    }
    expect(failed.countOf(['first'])).toBe(4);
    expect(failed.countOf(['second'])).toBe(2);
  });

  it('counts by key, over parts with different lines', () => {
    const failed = new FailedParts((line) => line.charAt(0));
    for (const [receipts, line] of ['a1', 'a2'].entries()) {
      failed.note(receipts);
      failed.count([line], receipts);
    }
    expect(failed.countOf(['a3', 'a4'])).toBe(2);
    expect([failed.has(['a5']), failed.has(['b1'])]).toEqual([true, false]);
    expect([failed.hasAlone('a1'), failed.hasAlone('a2')]).toEqual([false, true]);
  });

  it('forgets lines of a batch that is done with, and writers only with the last batch', () => {
    const failed = byLine();
    const writers = new FailedParts((line) => line.charAt(0));
    for (const parts of [failed, writers]) {
      parts.note(1);
      parts.count(['a1', 'b1'], 1);
      parts.forget(['a1', 'b1'], false);
    }
    expect([failed.has(['a1']), writers.has(['a1'])]).toEqual([false, true]);
    writers.forget([], true);
    expect(writers.has(['a1'])).toBe(false);
  });

  it('gives the parts first whose last failure is the oldest, and those that failed together in any order', () => {
    const failed = byLine();
    const together = Array.from({ length: 10 }, (_, index) => [`${index}`]);
    failed.note(1);
    failed.count(['old'], 1);
    for (const part of together) failed.count(part, 2);
    const orders = Array.from({ length: 20 }, () => failed.leastRecent([...together, ['never'], ['old']]));
    for (const order of orders) {
      expect(order[0]).toEqual(['old']);
      expect(order).toHaveLength(11);
    }
    expect(new Set(orders.map((order) => order.join(','))).size).toBeGreaterThan(1);
  });
});
