import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readBounded } from '../../src/net/read-bounded.js';

describe('readBounded', () => {
  it('returns all bytes when there are no more than allowed', async () => {
    const body = Readable.from([Buffer.from('ab'), new Uint8Array([0x63])]);
    expect(await readBounded(body, 3)).toEqual(new Uint8Array([0x61, 0x62, 0x63]));
    expect(await readBounded(null, 0)).toHaveLength(0);
  });

  it('stops reading when there are more', async () => {
    let produced = 0;
    let ended = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          produced += 1;
          yield await Promise.resolve(new Uint8Array(10));
        }
      } finally {
        ended = true;
      }
    }
    expect(await readBounded(endless(), 25)).toBeUndefined();
    expect([produced, ended]).toEqual([3, true]);
  });

  it('rejects when the stream yields text', async () => {
    await expect(readBounded(Readable.from(['text']), 100)).rejects.toThrow(TypeError);
  });
});
