import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { transformSync } from 'esbuild';
import { analyse } from 'scslre';
import { parseAst } from 'vite';
import { describe, expect, it } from 'vitest';
import { publishedPackages, root } from './support/workspace.js';

interface Expression {
  readonly pattern: string;
  readonly flags: string;
}

/** Expressions that take more than linear time, but read a text of a few characters. */
const ofShortTexts: ReadonlySet<string> = new Set([
  // policy-shape.ts: at most 256 characters before a string in a policy.
  String.raw`(?:@\s*\w+\s*\(|((?:\w+\s*::\s*)+))\s*$`,
]);

/** Files that build expressions from text. They do so once, and no analysis finds them; each was reviewed by hand. */
const builders = [
  'packages/audit/src/record/plain-json.ts',
  'packages/audit/src/sinks/cloud-events-options.ts',
  'packages/policy/src/cedar/text/fallible-reads.ts',
];

const sources = publishedPackages().flatMap(({ folder }) =>
  readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, 'src', file)),
);

function expressionsOf(path: string): Expression[] {
  const { code } = transformSync(readFileSync(path, 'utf8'), { loader: 'ts', target: 'esnext' });
  const found: Expression[] = [];
  // A literal of the syntax tree has the member `regex`.
  JSON.stringify(parseAst(code), (key, value: unknown) => {
    if (key === 'regex') found.push(value as Expression);
    return typeof value === 'bigint' ? String(value) : value;
  });
  return found;
}

/** Whether there are texts for which an expression takes more than linear time, also because a search begins anywhere. */
function isSuperLinear({ pattern, flags }: Expression): boolean {
  const { reports } = analyse({ source: pattern, flags }, { reportTypes: { Move: true, Self: true, Trade: true } });
  return reports.length > 0;
}

describe('regular expressions', () => {
  it.each<[string, RegExp, boolean]>([
    ['a run before the end, from anywhere', /\d+$/, true],
    ['two runs of the same characters', /^\s*(.*?)\s*$/, true],
    ['nested runs', /^(?:a+)+$/, true],
    ['a bounded run before the end', /\d{1,3}$/, false],
    ['a run from the start', /^\d+$/, false],
  ])('the analysis tells whether %s takes more than linear time [A16]', (_title, { source, flags }, expected) => {
    expect(isSuperLinear({ pattern: source, flags })).toBe(expected);
  });

  it('of the packages take linear time [A16, I2]', () => {
    const expressions = sources.flatMap((path) => expressionsOf(path).map((each) => ({ path, ...each })));
    expect(expressions.length).toBeGreaterThan(200);
    const slow = expressions.filter((each) => isSuperLinear(each) && !ofShortTexts.has(each.pattern));
    expect(slow.map(({ path, pattern }) => `${relative(root, path)}: /${pattern}/`)).toEqual([]);
  });

  it('are built from text in reviewed files only', () => {
    const built = sources.filter((path) => /\bRegExp\(/.test(readFileSync(path, 'utf8')));
    expect(built.map((path) => relative(root, path)).toSorted()).toEqual(builders);
  });
});
