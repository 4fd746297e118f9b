import { describe, expect, it } from 'vitest';
import { closePart, closeParts, holdParts, isClosed, madeOf } from '../../src/time/close-parts.js';

/** Parts that note when they are closed. */
function parts(...names: string[]) {
  const closed: string[] = [];
  return { closed, made: names.map((name) => ({ close: () => void closed.push(name) })) };
}

function whole(among: readonly { close(): unknown }[]) {
  return madeOf({ close: () => closeParts(among) }, among);
}

describe('a part', () => {
  it('is closed by the last of those that hold it, and once', async () => {
    const { closed, made } = parts('a');
    holdParts(made);
    holdParts(made);
    await closeParts(made);
    expect([closed, made.some(isClosed)]).toEqual([[], false]);
    await closeParts(made);
    await closeParts(made);
    expect([closed, made.every(isClosed)]).toEqual([['a'], true]);
  });

  it('is closed at once if nobody holds it', async () => {
    const { closed, made } = parts('a', 'b');
    await closeParts(made);
    expect(closed).toEqual(['a', 'b']);
  });

  it('stays closed if it is held later', async () => {
    const { closed, made } = parts('a');
    await closeParts(made);
    holdParts(made);
    expect(made.every(isClosed)).toBe(true);
    await closeParts(made);
    expect(closed).toEqual(['a']);
  });

  it('counts as open if there is nothing to close', async () => {
    const memory = {};
    holdParts([memory]);
    await closePart(memory);
    expect([memory, undefined, 'text'].some(isClosed)).toBe(false);
  });

  it('counts as closed if its close failed', async () => {
    const broken = { close: () => Promise.reject(new Error('stuck')) };
    await expect(closePart(broken)).rejects.toThrow('stuck');
    expect(isClosed(broken)).toBe(true);
  });
});

describe('a part that is made of others', () => {
  it('holds them while it is held, whoever else holds them', async () => {
    const { closed, made } = parts('a', 'b');
    const [a] = made;
    const both = whole(made);
    holdParts([both]);
    holdParts([both]);
    holdParts([a!]);
    await closePart(both);
    await closePart(a!);
    expect(closed).toEqual([]);
    await closePart(both);
    expect(closed).toEqual(['a', 'b']);
  });

  it('leaves one open that another holds alone', async () => {
    const { closed, made } = parts('a', 'b');
    const both = whole([whole([made[0]!]), made[1]!]);
    holdParts([made[0]!]);
    holdParts([both]);
    await closePart(both);
    expect(closed).toEqual(['b']);
    await closePart(made[0]!);
    expect(closed).toEqual(['b', 'a']);
  });

  it('is closed if one of them is, and takes none from another holder', async () => {
    const { closed, made } = parts('a', 'b');
    const [a, b] = made;
    await closePart(a!);
    holdParts([b!]);
    const both = whole([whole(made)]);
    holdParts([both]);
    expect(isClosed(both)).toBe(true);
    await closePart(both);
    expect(closed).toEqual(['a']);
  });
});
