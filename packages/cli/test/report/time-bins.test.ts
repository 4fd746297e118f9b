import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { TimeBins } from '../../src/report/time-bins.js';

const moments = fc.array(fc.tuple(fc.integer({ min: -8.64e15, max: 8.64e15 }), fc.boolean()), { maxLength: 40 });

it('TimeBins keeps every count in at most 96 bins, for arbitrary times', () => {
  fc.assert(
    fc.property(moments, (list) => {
      const bins = new TimeBins();
      for (const [time, allowed] of list) bins.add(time, allowed);
      const counted = bins.list();
      expect(counted.length).toBeLessThanOrEqual(96);
      expect(counted.reduce((sum, { allowed }) => sum + allowed, 0)).toBe(list.filter(([, allowed]) => allowed).length);
      expect(counted.reduce((sum, { denied }) => sum + denied, 0)).toBe(list.filter(([, allowed]) => !allowed).length);
      for (const [time] of list) {
        expect(counted.some(({ start }) => start <= time && time < start + bins.width)).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
});

it('TimeBins has the finest bins that span the time', () => {
  const bins = new TimeBins();
  bins.add(0, true);
  bins.add(95_000, false);
  expect(bins.width).toBe(1000);
  bins.add(96_000, true);
  expect(bins.width).toBe(5000);
  expect(bins.list().at(-1)).toEqual({ start: 95_000, allowed: 1, denied: 1 });
});
