import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MinHeap } from '../../../src/stages/replay/min-heap.js';

describe('MinHeap', () => {
  it('gives the least of what was added and not removed', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 50 })), { maxLength: 200 }), (steps) => {
        const heap = new MinHeap();
        const model: number[] = [];
        for (const step of steps) {
          if (step === null) {
            heap.removeLeast();
            model.shift();
          } else {
            heap.add(step);
            model.push(step);
            model.sort((one, other) => one - other);
          }
          expect(heap.least).toBe(model[0]);
        }
      }),
    );
  });
});
