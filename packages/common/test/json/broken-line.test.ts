import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { brokenLine } from '../../src/json/broken-line.js';

describe('where a file stops being JSON', () => {
  it.each([
    ['a comma too many', '[\n  {"id": "a",\n  }\n]', 'agents.json:3:3'],
    ['a comma too few', '[\n  {"id": "a"\n   "x": 1}\n]', 'agents.json:3:4'],
    ['a name without quotes', '[{id: "a"}]', 'agents.json:1:3'],
    ['nothing wrong', '[\n{}]', 'agents.json'],
    ['an end too early', '[\n', 'agents.json'],
    ['a comma before the end of a list', '[\n  {},\n]\n', 'agents.json:3:1'],
    ['a comment', '[\n\n  // ours\n  {}\n]', 'agents.json:3:3'],
    ['a string that does not end', '{\n "a": "b\n}', 'agents.json:2:9'],
    ['something after the end', '{}\n\n{}', 'agents.json:3:1'],
    ['a place that its content names', '[\n\nx in JSON at position 1', 'agents.json:3:1'],
    ['a word of no JSON', '[\n true, tru3]', 'agents.json:2:11'],
    ['nothing', '', 'agents.json'],
  ])('%s', (_title, text, place) => {
    expect(brokenLine('agents.json', Buffer.from(text))).toBe(place);
  });

  it('is the place that was damaged', () => {
    const lines = fc
      .array(fc.jsonValue({ maxDepth: 2 }), { minLength: 1, maxLength: 20 })
      .chain((values) => fc.record({ values: fc.constant(values), at: fc.nat({ max: values.length - 1 }) }));
    fc.assert(
      fc.property(lines, ({ values, at }) => {
        const written = values.map((value, index) => `${index === at ? '?' : ''}${JSON.stringify(value)}`);
        const text = `[\n${written.join(',\n')}\n]`;
        expect(brokenLine('file', Buffer.from(text))).toBe(`file:${at + 2}:1`);
      }),
    );
  });

  it('never throws, and quotes nothing', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => /^file(?::\d+:\d+)?$/.test(brokenLine('file', bytes))));
    fc.assert(fc.property(fc.string(), (text) => /^file(?::\d+:\d+)?$/.test(brokenLine('file', Buffer.from(text)))));
  });
});
