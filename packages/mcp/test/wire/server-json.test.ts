import { describe, expect, it } from 'vitest';
import { deepestAnswer, mostServerMembers, mostServerMessages, parseServerJson } from '../../src/wire/server-json.js';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('parseServerJson', () => {
  it.each([
    ['{"a":[1,"\\"[[","\\\\",{"b":null}]}'],
    [nested(deepestAnswer)],
    [`[${'0,'.repeat(1000)}0]`.replace(/^/, '{"x":').concat('}')],
    [JSON.stringify({ text: '[{,:'.repeat(mostServerMembers) })],
    [JSON.stringify(Array.from({ length: mostServerMessages }, (_, id) => ({ id })))],
  ])('reads what JSON.parse reads', (text) => {
    expect(parseServerJson(text)).toEqual(JSON.parse(text));
  });

  it.each([
    ['lists in lists', nested(deepestAnswer + 1)],
    ['objects in objects', '{"a":'.repeat(deepestAnswer + 1)],
    ['brackets that never end', '['.repeat(30 * 1024 * 1024)],
    ['many members', `{${'"a":1,'.repeat(mostServerMembers / 2)}"a":1}`],
    ['many items', `{"x":[${'0,'.repeat(mostServerMembers)}0]}`],
    ['many messages', JSON.stringify(Array.from({ length: mostServerMessages + 1 }, () => ({})))],
  ])('refuses %s before they cost time [E15]', (_what, text) => {
    expect(() => parseServerJson(text)).toThrow(RangeError);
  });

  it.each(['', '{', '"', '"\\', '{"a":"\\"}', 'x'])('says that %j is no JSON', (text) => {
    expect(() => parseServerJson(text)).toThrow(SyntaxError);
  });
});
