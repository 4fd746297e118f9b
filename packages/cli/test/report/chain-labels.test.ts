import { expect, it } from 'vitest';
import { heightAt, labelPlaces, wayAt } from '../../src/report/chain-labels.js';
import type { Edge } from '../../src/report/chain-layout.js';

function edge(column: number, fromRow: number, toRow: number): Edge {
  return {
    from: { column, kind: 'agent', name: `agent-${fromRow}`, row: fromRow },
    to: { column: column + 1, kind: 'action', name: `action-${toRow}`, row: toRow },
    proof: 'action',
    allowed: 0,
    denied: 1,
  };
}

it('chain labels are in the middle of their edges unless another edge or label is there', () => {
  const [down, up, elsewhere] = [edge(0, 0, 2), edge(0, 2, 0), edge(1, 0, 2)];
  expect(labelPlaces([elsewhere], [down, elsewhere]).get(elsewhere)).toBe(0.5);
  expect(labelPlaces([down], [down]).get(down)).toBe(0.5);
  const places = labelPlaces([down, up], [down, up, elsewhere]);
  for (const [of, other] of [
    [down, up],
    [up, down],
  ] as const) {
    const place = places.get(of) ?? Number.NaN;
    expect(Math.abs(heightAt(of, place) - heightAt(other, place))).toBeGreaterThanOrEqual(0.3);
  }
});

it('chain labels lie on the drawn curve', () => {
  const one = edge(0, 1, 3);
  expect([0, 0.5, 1].map((place) => [wayAt(place), heightAt(one, place)])).toEqual([
    [0, 1],
    [0.5, 2],
    [1, 3],
  ]);
});
