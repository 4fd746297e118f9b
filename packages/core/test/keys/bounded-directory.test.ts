import { describe, expect, it } from 'vitest';
import { boundedDirectory } from '../../src/keys/bounded-directory.js';
import type { KeyLookup } from '../../src/keys/directory.js';

interface Asked {
  readonly thumbprint: string;
  readonly answer: (lookup: KeyLookup) => void;
}

/** A directory whose answers the test gives. */
function heldDirectory(seconds = 5) {
  const asked: Asked[] = [];
  const directory = boundedDirectory(
    {
      findByThumbprint: async (thumbprint) =>
        await new Promise<KeyLookup>((answer) => void asked.push({ thumbprint, answer })),
      statusOf: () => 'unknown',
    },
    seconds,
  );
  const find = async (thumbprint: string): Promise<string> => (await directory.findByThumbprint(thumbprint)).kind;
  return { asked, directory, find };
}

const outage = { kind: 'unavailable', cause: 'down' } as const;

describe('boundedDirectory', () => {
  it('shares a look-up among all that ask for the same key before it begins, and no earlier one [C7, A14]', async () => {
    const { asked, find } = heldDirectory();
    const first = find('k');
    const later = Array.from({ length: 50 }, () => find('k'));
    expect(asked).toHaveLength(1);
    asked[0]?.answer(outage);
    expect(await first).toBe('unavailable');
    await Promise.resolve();
    expect(asked).toHaveLength(2);
    const latest = find('k');
    asked[1]?.answer({ kind: 'unknown' });
    expect(await Promise.all(later)).toEqual(later.map(() => 'unknown'));
    asked[2]?.answer(outage);
    expect(await latest).toBe('unavailable');
    expect(asked).toHaveLength(3);
  });

  it('refuses more than 1024 look-ups at once, and asks again when one has ended [A14, I6]', async () => {
    const { asked, directory, find } = heldDirectory();
    const finds = Array.from({ length: 1024 }, (_, at) => find(`k${at}`));
    await expect(find('one more')).rejects.toThrow('more than 1024 look-ups at once');
    expect(asked).toHaveLength(1024);
    const joined = find('k1');
    asked[0]?.answer({ kind: 'unknown' });
    await finds[0];
    const after = find('one more');
    for (let at = 1; at < asked.length; at += 1) asked[at]?.answer({ kind: 'unknown' });
    await Promise.all(finds);
    asked.at(-1)?.answer({ kind: 'unknown' });
    expect(await Promise.all([after, joined])).toEqual(['unknown', 'unknown']);
    expect(await directory.statusOf('agent-a')).toBe('unknown');
  });

  it('waits no longer for a look-up behind one that never ends [J3]', async () => {
    const { asked, find } = heldDirectory(0.02);
    const all = await Promise.allSettled([find('k'), find('k')]);
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it('checks a final answer like any other, and waits no longer for it [A14]', async () => {
    const answers: unknown[] = [{ kind: 'unknown' }, { kind: 'foumd' }, new Promise(() => {})];
    const final = (): KeyLookup => answers.shift() as KeyLookup;
    const directory = boundedDirectory(
      { findByThumbprint: () => ({ ...outage, final }), statusOf: () => 'unknown' },
      0.02,
    );
    const find = async (): Promise<unknown> => {
      const lookup = await directory.findByThumbprint('k');
      return lookup.kind === 'unavailable' ? lookup.final?.() : lookup;
    };
    expect(await find()).toEqual({ kind: 'unknown' });
    await expect(find()).rejects.toThrow('no key lookup');
    await expect(find()).rejects.toThrow('no answer within');
  });
});
