import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { patternFromJson } from '../../../src/cedar/evaluate/string-pattern.js';
import { freshCedar } from '../../../src/cedar/instance/instance.js';

const RUNS = Number(process.env['COUNTERSIGN_DIFFERENTIAL_RUNS'] ?? 500);

const cedar = freshCedar();

function likeInCedar(text: string, pattern: string): boolean {
  const answer = cedar.isAuthorized({
    principal: { type: 'A', id: 'a' },
    action: { type: 'Action', id: 'x' },
    resource: { type: 'A', id: 'a' },
    context: { text },
    entities: [],
    policies: { staticPolicies: `permit(principal, action, resource) when { context.text like "${pattern}" };` },
  });
  if (answer.type === 'failure' || answer.response.diagnostics.errors.length > 0)
    throw new Error(JSON.stringify(answer));
  return answer.response.decision === 'allow';
}

function likeOfOurs(text: string, pattern: string): boolean | undefined {
  const answer = cedar.policyToJson(`permit(principal, action, resource) when { context.text like "${pattern}" };`);
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer));
  const body = answer.json.conditions[0]?.body as { readonly like: { readonly pattern: unknown } };
  return patternFromJson(body.like.pattern)?.matches(text);
}

const character = fc.constantFrom('a', 'a', 'b', '*', 'é', 'e', '\u0301', '𝒳', '\0', '\n', '"', '\\');
const text = fc.string({
  unit: fc.oneof({ weight: 9, arbitrary: character }, fc.string({ unit: 'binary', maxLength: 1 })),
  maxLength: 8,
});
const escaped = (each: string): string =>
  Array.from(each)
    .map((one) => (one === '*' ? '\\*' : `\\u{${one.codePointAt(0)?.toString(16)}}`))
    .join('');
const wildcards = fc.constantFrom('*', '*', '**');
/** A text, and a pattern that often matches it: parts of the text with wildcards between them. */
const pair = fc.oneof(
  fc.tuple(
    text,
    fc.array(fc.oneof(wildcards, text.map(escaped)), { maxLength: 5 }).map((parts) => parts.join('')),
  ),
  fc
    .array(fc.tuple(text, fc.boolean()), { maxLength: 5 })
    .map((parts): [string, string] => [
      parts.map(([part]) => part).join(''),
      parts.map(([part, isWild]) => (isWild ? '*' : escaped(part))).join(''),
    ]),
);

it("matches texts as Cedar's like does", { timeout: 600_000 }, () => {
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(pair, ([some, pattern]) => {
      const expected = likeInCedar(some, pattern);
      seen.add(expected);
      expect(likeOfOurs(some, pattern)).toBe(expected);
    }),
    {
      numRuns: RUNS,
      examples: [
        [['', '']],
        [['', '*']],
        [['a', 'a*a']],
        [['aa', 'a*a']],
        [['aba', 'ab*ba']],
        [['aab', '*ab']],
        [['*', '\\*']],
      ],
    },
  );
  expect(seen).toEqual(new Set([true, false]));
});

it.each([[undefined], ['*'], [[{}]], [[{ Literal: 1 }]], [[null]], [['Other']]])('reads no pattern from %j', (json) => {
  expect(patternFromJson(json)).toBeUndefined();
});
