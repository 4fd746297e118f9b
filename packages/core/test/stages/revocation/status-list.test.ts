import { existsSync, readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { assert, asyncProperty, constantFrom, jsonValue, nat, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  maxInflatedBytes,
  readStatusList,
  type StatusList,
  statusAt,
} from '../../../src/stages/revocation/status-list-token.js';

interface Vector {
  readonly bits: number;
  readonly lst: string;
  readonly bytes: number;
  readonly statuses: readonly (readonly [index: number, status: number])[];
}

const folder = new URL('../../../../../../shared/vectors/token-status-list/', import.meta.url);

async function read(claim: unknown): Promise<StatusList> {
  const list = await readStatusList(claim);
  if (!list.ok) throw new Error(list.problem);
  return list.value;
}

function allOf(list: StatusList, count: number): (number | undefined)[] {
  return Array.from({ length: count }, (_, index) => statusAt(list, index));
}

describe('the examples of the draft, §4', () => {
  it('read as printed with one bit for each status', async () => {
    const list = await read({ bits: 1, lst: 'eNrbuRgAAhcBXQ' });
    expect(allOf(list, 17)).toEqual([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1, undefined]);
  });

  it('read as printed with two bits for each status', async () => {
    const list = await read({ bits: 2, lst: 'eNo76fITAAPfAgc' });
    expect(allOf(list, 13)).toEqual([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3, undefined]);
  });
});

describe.skipIf(!existsSync(folder))('the test vectors of the draft', () => {
  const file = new URL('status-list-vectors.json', folder);
  const vectors = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }).vectors : [];
  it.each(vectors.map((vector, index) => [index, vector.bits, vector] as const))(
    'number %i, of %i bits, yields its statuses, and 0 for all others',
    async (_index, bits, { lst, bytes, statuses }) => {
      const list = await read({ bits, lst });
      expect(list.bytes).toHaveLength(bytes);
      const expected = new Map(statuses);
      let wrong = 0;
      for (let index = 0; index < (bytes * 8) / bits; index++) {
        if (statusAt(list, index) !== (expected.get(index) ?? 0)) wrong += 1;
      }
      expect(wrong).toBe(0);
      expect(statusAt(list, (bytes * 8) / bits)).toBeUndefined();
    },
  );
});

describe('a status list', () => {
  it('reads each status as it was packed, for any bytes and bit size', async () => {
    await assert(
      asyncProperty(
        uint8Array({ minLength: 1, maxLength: 64 }),
        constantFrom(1, 2, 4, 8),
        nat(),
        async (bytes, bits, at) => {
          const list = await read({ bits, lst: deflateSync(bytes).toString('base64url') });
          const index = at % ((bytes.length * 8) / bits);
          const packed = [...bytes]
            .map((byte) => byte.toString(2).padStart(8, '0'))
            .toReversed()
            .join('');
          const end = packed.length - index * bits;
          expect(statusAt(list, index)).toBe(Number.parseInt(packed.slice(end - bits, end), 2));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is refused when it inflates to more than the maximum [B11]', async () => {
    const bomb = deflateSync(Buffer.alloc(maxInflatedBytes + 1)).toString('base64url');
    expect(bomb.length).toBeLessThan(20_000);
    expect(await readStatusList({ bits: 1, lst: bomb })).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/inflates to more than/),
    });
    const largest = deflateSync(Buffer.alloc(maxInflatedBytes)).toString('base64url');
    expect(await readStatusList({ bits: 1, lst: largest })).toMatchObject({ ok: true });
  });

  it.each<[unknown, RegExp]>([
    [undefined, /not an object/],
    [[], /not an object/],
    [{ lst: 'eNrbuRgAAhcBXQ' }, /bits/],
    [{ bits: 3, lst: 'eNrbuRgAAhcBXQ' }, /bits/],
    [{ bits: '1', lst: 'eNrbuRgAAhcBXQ' }, /bits/],
    [{ bits: 16, lst: 'eNrbuRgAAhcBXQ' }, /bits/],
    [{ bits: 1 }, /base64url/],
    [{ bits: 1, lst: '' }, /base64url/],
    [{ bits: 1, lst: 'eNrbuRgAAhcBXQ==' }, /base64url/],
    [{ bits: 1, lst: 'eNrb uRgAAhcBXQ' }, /base64url/],
    [{ bits: 1, lst: 'AAAA' }, /no zlib data/],
    [{ bits: 1, lst: 'eNrbuRgA' }, /no zlib data/],
  ])('is refused with the claim %j', async (claim, message) => {
    expect(await readStatusList(claim)).toMatchObject({ ok: false, problem: expect.stringMatching(message) });
  });

  it('never throws for any JSON', async () => {
    await assert(
      asyncProperty(jsonValue(), async (value) => {
        expect(await readStatusList(value)).toHaveProperty('ok');
        expect(await readStatusList({ bits: 1, lst: value })).toHaveProperty('ok');
      }),
      { numRuns: 100 },
    );
  });

  it('has no status at an index beyond 32 bits', async () => {
    const list = await read({ bits: 8, lst: 'eNrbuRgAAhcBXQ' });
    for (const index of [2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER])
      expect(statusAt(list, index)).toBeUndefined();
  });
});
