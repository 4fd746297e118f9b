import type { Edge } from './chain-layout.js';

/** Positions of a label along its edge, the middle first: near its ends the edges of a node lie close together. */
const places = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74];
/** In rows. A larger distance is not clearer, and would move labels away from the middle. */
const enough = 0.3;

/**
 * The position of each label along its edge, as far as possible from other edges and labels, so that it is not read as
 * theirs. From 0 to 1, as the parameter of the curve.
 */
export function labelPlaces(labelled: readonly Edge[], edges: readonly Edge[]): ReadonlyMap<Edge, number> {
  const placed = new Map<Edge, number>();
  for (const edge of labelled) {
    // At the same parameter, all edges between two columns have the same x, so only the height differs.
    const others = edges.filter((other) => other !== edge && other.from.column === edge.from.column);
    const room = (place: number): number =>
      Math.min(enough, ...others.map((other) => Math.abs(heightAt(other, place) - heightAt(edge, place))));
    placed.set(
      edge,
      places.reduce((best, place) => (room(place) > room(best) ? place : best)),
    );
  }
  return placed;
}

/** The height of the curve of an edge, in rows. */
export function heightAt({ from, to }: Edge, place: number): number {
  return from.row + (to.row - from.row) * place ** 2 * (3 - 2 * place);
}

/** The x of the curve of an edge: 0 at its start, 1 at its end. */
export function wayAt(place: number): number {
  return 1.5 * place * (1 - place) + place ** 3;
}
