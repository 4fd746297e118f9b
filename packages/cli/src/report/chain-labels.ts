import type { Edge } from './chain-layout.js';

/** How far along an edge a label may be, the middle first: nearer to its ends all edges of a node lie close together. */
const places = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74];
/** In rows. More makes nothing clearer, and would drive labels away from the middle. */
const enough = 0.3;

/**
 * Where along its edge each label belongs: as far as can be from other edges and labels, lest it seem to be of these.
 * From 0 to 1, as the parameter of the curve.
 */
export function labelPlaces(labelled: readonly Edge[], edges: readonly Edge[]): ReadonlyMap<Edge, number> {
  const placed = new Map<Edge, number>();
  for (const edge of labelled) {
    // All edges between two columns are at the same distance from them at the same place: only the height differs.
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

/** How far the curve of an edge has come to the right: 0 at its start, 1 at its end. */
export function wayAt(place: number): number {
  return 1.5 * place * (1 - place) + place ** 3;
}
