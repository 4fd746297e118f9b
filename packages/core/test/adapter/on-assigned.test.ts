import { describe, expect, it } from 'vitest';
import { onAssigned, watchedOf } from '../../src/adapter/on-assigned.js';

interface Routed {
  route?: string | undefined;
}

function watched() {
  const seen: [Routed, unknown][] = [];
  const watch = onAssigned<Routed, 'route'>('route', (holder, value) => void seen.push([holder, value]));
  const holder: Routed = { route: 'first' };
  watch(holder);
  return { holder, seen, watch };
}

describe('onAssigned', () => {
  it('calls back with the object and each value assigned to its property', () => {
    const { holder, seen } = watched();
    expect(holder.route).toBe('first');
    holder.route = 'second';
    holder.route = undefined;
    expect(seen).toEqual([
      [holder, 'second'],
      [holder, undefined],
    ]);
    expect(holder.route).toBeUndefined();
  });

  it.each([
    ['a proxy of it', (holder: Routed) => new Proxy(holder, {})],
    ['an object that inherits from it', (holder: Routed) => Object.create(holder) as Routed],
  ])('calls back with the object when a value is assigned through %s', (_name, wrap) => {
    const { holder, seen } = watched();
    const wrapped = wrap(holder);
    wrapped.route = 'second';
    expect(seen.map(([of]) => of === holder)).toEqual([true]);
    expect([wrapped.route, holder.route]).toEqual(['second', 'second']);
    expect(watchedOf(wrapped) === holder).toBe(true);
  });

  it('keeps objects apart', () => {
    const { holder, watch } = watched();
    const other: Routed = {};
    watch(other);
    other.route = 'theirs';
    expect(holder.route).toBe('first');
  });

  it('leaves the property enumerable, and adds no other key', () => {
    const { holder } = watched();
    expect(Object.keys(holder)).toEqual(['route']);
  });
});
