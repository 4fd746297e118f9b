import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterEvents } from '../../src/http/event-stream.js';

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [
    ...cuts.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b),
    bytes.length,
  ]) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

async function filtered(text: string, cuts: readonly number[] = [], map = withoutSecrets): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of filterEvents(chunksOf(Buffer.from(text), cuts), map)) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** Leaves out what holds a secret: drops `{secret}`, and empties `{list}`. */
async function withoutSecrets(message: unknown): Promise<unknown> {
  const { secret, list } = message as { secret?: unknown; list?: unknown };
  if (secret !== undefined) return undefined;
  return list === undefined ? message : { list: [] };
}

describe('filterEvents', () => {
  it('passes on messages that do not change with their very text', async () => {
    const text = 'id: 7\nevent: message\ndata: {"n": 12345678901234567890,\ndata: "é": "🦀"}\n\n';
    expect(await filtered(text)).toBe(text);
  });

  it('passes no character on that ends a line for some readers only [E15]', async () => {
    const forged = '\u2028data: {}\u2028\u2028';
    expect(await filtered(`: c${forged}\nid: 7${forged}\nevent: message\ndata: {"x":"${forged}\u0085"}\n\n`)).toBe(
      'event: message\ndata: {"x":"\\u2028data: {}\\u2028\\u2028\\u0085"}\n\n',
    );
  });

  it('keeps comments, ids and events that prime the client', async () => {
    expect(await filtered(': ping\n\nid: 1\ndata:\n\nretry: 500\n\n')).toBe(': ping\n\nid: 1\ndata:\n\nretry: 500\n\n');
  });

  it('writes a changed message anew, and keeps the other fields', async () => {
    expect(await filtered('id: 7\ndata: {"list":\ndata: ["secret"]}\nevent: message\n\n')).toBe(
      'id: 7\nevent: message\ndata: {"list":[]}\n\n',
    );
  });

  it('drops data that is no JSON object, what the map drops, and an unfinished event', async () => {
    expect(await filtered('data: secret\n\ndata: "secret"\n\ndata: {"secret":1}\n\ndata: {"list":["secret"]}\n')).toBe(
      '',
    );
  });

  it('refuses an event without end', async () => {
    await expect(filtered(`data: "${'x'.repeat(17 * 1024 * 1024)}`)).rejects.toThrow('too long');
  });

  it('copies no event anew for each of its small pieces, which would take minutes', async () => {
    const cuts = Array.from({ length: 20_000 }, (_, n) => n / 20_000);
    const event = `data: {"x":"${'y'.repeat(8 * 1024 * 1024)}"}\n\n`;
    expect((await filtered(event, cuts)).length).toBeGreaterThan(8 * 1024 * 1024);
  });

  it('filters the same however the stream is cut, for each way to end a line', async () => {
    const message = fc.oneof(
      fc.record({ secret: fc.string() }),
      fc.record({ list: fc.array(fc.string(), { maxLength: 2 }) }),
      fc.record({ text: fc.string({ unit: 'grapheme' }) }),
    );
    const events = fc.array(
      fc.record({ id: fc.option(fc.nat()), comment: fc.boolean(), message, broken: fc.boolean() }),
      { maxLength: 6 },
    );
    const end = fc.constantFrom('\n', '\r', '\r\n');
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(events, end, cuts, async (list, newline, cuts) => {
        const rendered = list.map(({ id, comment, message, broken }) => {
          const data = JSON.stringify(message, null, broken ? 1 : 0).split('\n');
          return [...(comment ? [': c'] : []), ...(id === null ? [] : [`id: ${id}`]), ...data.map((l) => `data: ${l}`)];
        });
        const text = rendered.map((lines) => [...lines, '', ''].join(newline)).join('');
        const expected: unknown[] = [];
        for (const { message } of list) {
          const kept = await withoutSecrets(message);
          if (kept !== undefined) expected.push(JSON.parse(JSON.stringify(kept)));
        }
        const result = await filtered(text, cuts);
        expect(messagesIn(result)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });
});

function messagesIn(stream: string): unknown[] {
  return stream
    .split('\n\n')
    .map((event) => event.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : [])))
    .filter((data) => data.length > 0)
    .map((data) => JSON.parse(data.join('\n')) as unknown);
}
