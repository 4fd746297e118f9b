import { describe, expect, it } from 'vitest';
import { holdToken } from '../../src/authority/held-token.js';

/** A source of tokens of 100 s, whose answers the test gives. */
function source() {
  const clock = { now: 1000 };
  const asked: { answer(): void; fail(): void }[] = [];
  const held = holdToken(
    () =>
      new Promise((resolve, reject) => {
        const number = asked.length;
        asked.push({
          answer: () => resolve({ token: `token-${number}`, expiresAt: clock.now + 100 }),
          fail: () => reject(new Error('down')),
        });
      }),
    () => clock.now,
  );
  return { clock, asked, held };
}

const settled = () => new Promise<void>((resolve) => void setImmediate(resolve));

describe('a held token', () => {
  it('is got once when many ask for it at the same time, and then kept', async () => {
    const { clock, asked, held } = source();
    const all = Array.from({ length: 50 }, () => held.current());
    asked[0]?.answer();
    expect(new Set(await Promise.all(all))).toEqual(new Set(['token-0']));
    clock.now += 74;
    expect(await held.current()).toBe('token-0');
    expect(asked).toHaveLength(1);
  });

  it('is renewed in the background before it expires', async () => {
    const { clock, asked, held } = source();
    const first = held.current();
    asked[0]?.answer();
    await first;
    clock.now += 75;
    expect(await Promise.all([held.current(), held.current()])).toEqual(['token-0', 'token-0']);
    expect(asked).toHaveLength(2);
    asked[1]?.answer();
    await settled();
    expect(await held.current()).toBe('token-1');
  });

  it('is used until it expires while the authority is down, which is asked again after 5 s', async () => {
    const { clock, asked, held } = source();
    const first = held.current();
    asked[0]?.answer();
    await first;
    clock.now += 80;
    expect(await held.current()).toBe('token-0');
    asked[1]?.fail();
    await settled();
    clock.now += 4;
    expect(await held.current()).toBe('token-0');
    expect(asked).toHaveLength(2);
    clock.now += 1;
    expect(await held.current()).toBe('token-0');
    expect(asked).toHaveLength(3);
    asked[2]?.fail();
    await settled();
    clock.now += 15;
    const expired = held.current();
    asked[3]?.fail();
    await expect(expired).rejects.toThrow('down');
    const again = held.current();
    asked[4]?.answer();
    expect(await again).toBe('token-4');
  });
});
