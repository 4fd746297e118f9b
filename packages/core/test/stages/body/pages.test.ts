import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pages, withoutFirst } from '../../../src/stages/body/pages.js';

function capacity(pages: Iterable<Buffer>): number {
  return [...pages].reduce((sum, page) => sum + page.buffer.byteLength, 0);
}

describe('pages', () => {
  it('return the bytes in order, for any chunk sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 20 }), (chunks) => {
        const pages = new Pages();
        for (const [index, chunk] of chunks.entries()) {
          if (index % 3 === 0) pages.append(Buffer.from(chunk));
          else pages.adopt(Buffer.from(chunk));
        }
        const whole = Buffer.concat(chunks);
        expect(pages.length).toBe(whole.length);
        expect(Buffer.concat([...pages.take()]).equals(whole)).toBe(true);
        expect(pages.length).toBe(0);
        expect(pages.take()).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it('hold a million one-byte chunks in little more than a megabyte [G4]', () => {
    const pages = new Pages();
    const byte = Buffer.from('x');
    for (let count = 0; count < 1_000_000; count++) pages.append(byte);
    expect(capacity(pages.take())).toBeLessThan(1_020_000);
  });

  it('cost a small body a small page', () => {
    const pages = new Pages();
    pages.append(Buffer.from('{"title":"x"}'));
    expect(capacity(pages.take())).toBeLessThan(1000);
  });

  it('share no memory with what was appended', () => {
    const pages = new Pages();
    const chunk = Buffer.alloc(50_000, 'a');
    pages.append(chunk);
    chunk.fill('b');
    expect(Buffer.concat([...pages.take()]).equals(Buffer.alloc(50_000, 'a'))).toBe(true);
  });

  it('keep small parts that they adopt apart from the buffers around them, and large ones without a copy', () => {
    const pages = new Pages();
    const large = Buffer.alloc(50_000, 'a');
    pages.adopt(large.subarray(0, 4095));
    pages.adopt(large);
    large.fill('b');
    const [first, second] = [...pages.take()];
    expect(first?.equals(Buffer.alloc(4095, 'a'))).toBe(true);
    expect(second?.buffer).toBe(large.buffer);
  });

  it('keep nothing once cleared, and start anew', () => {
    const pages = new Pages();
    pages.append(Buffer.from('old'));
    pages.clear();
    pages.append(Buffer.from('new'));
    expect(Buffer.concat([...pages.take()]).toString()).toBe('new');
  });
});

describe('withoutFirst', () => {
  it('keeps the unwritten bytes in order', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.nat({ max: 200 }), (chunks, count) => {
        const rest = withoutFirst(
          chunks.map((chunk) => Buffer.from(chunk)),
          count,
        );
        expect(Buffer.concat([...rest]).equals(Buffer.concat(chunks).subarray(count))).toBe(true);
      }),
    );
  });
});
