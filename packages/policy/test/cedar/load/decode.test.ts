import { expect, it } from 'vitest';
import { yieldEvery } from '@countersign/common';
import { decodeUtf8 } from '../../../src/cedar/load/decode.js';

const PIECE = 512 * 1024;

const whole = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

const middles: [string, Uint8Array][] = [
  ['a character of four bytes', Buffer.from('𝒳b')],
  ['a character of three bytes', Buffer.from('€b')],
  ['a byte order mark', Buffer.from('\ufeffb')],
  ['half a character', Buffer.from('𝒳b').subarray(0, 2)],
  ['four continuation bytes', Buffer.from([0x80, 0x80, 0x80, 0x80])],
  ['a long run of continuation bytes', Buffer.alloc(PIECE + 8, 0x80)],
];

it.each(middles)('decodes as TextDecoder does, with %s at the border of two pieces', async (_title, middle) => {
  for (const start of [Buffer.from(''), Buffer.from('\ufeff')]) {
    for (let shift = -5; shift <= 1; shift++) {
      const bytes = Buffer.concat([start, Buffer.alloc(PIECE + shift - start.length, 'a'), middle]);
      const decoded = await decodeUtf8(bytes, yieldEvery()).catch(() => undefined);
      expect(decoded === whole(bytes)).toBe(true);
    }
  }
});
