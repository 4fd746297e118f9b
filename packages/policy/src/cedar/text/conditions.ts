import { TOKEN } from './policy-text.js';

/** One condition: of a `when`, all of which must hold, or of an `unless`, none of which may hold. */
export interface Condition {
  readonly clause: 'when' | 'unless';
  /** The source text, without comments and on one line. */
  readonly text: string;
  /** The line within the policy, from 0. */
  readonly line: number;
}

interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/**
 * The conditions of a policy that Cedar has accepted. A `when` is split at its outermost `&&`, an `unless` at its
 * outermost `||`. A clause with an outermost operator that binds less tightly, such as `if`, is not split.
 */
export function conditionsOf(policy: string): Condition[] {
  const tokens = tokensOf(policy);
  const conditions: Condition[] = [];
  for (const [index, { text }] of tokens.entries()) {
    if ((text !== 'when' && text !== 'unless') || tokens[index + 1]?.text !== '{') continue;
    const body = bracketed(tokens, index + 1);
    for (const part of split(body, text)) conditions.push(conditionFrom(policy, part, text));
  }
  return conditions;
}

/** The text with every string literal emptied. */
export function withoutStrings(text: string): string {
  return text.replaceAll(/"[^"\\]*(?:\\[\s\S][^"\\]*)*"/g, '""');
}

function tokensOf(policy: string): Token[] {
  return [...policy.matchAll(TOKEN)]
    .map(({ 0: text, index }) => ({ text, start: index, end: index + text.length }))
    .filter(({ text }) => !text.startsWith('//'));
}

/** The tokens within the bracket that opens at an index. */
function bracketed(tokens: readonly Token[], opening: number): Token[] {
  let depth = 0;
  for (let index = opening; index < tokens.length; index++) {
    depth += depthChange(tokens[index]);
    if (depth === 0) return tokens.slice(opening + 1, index);
  }
  return tokens.slice(opening + 1);
}

function split(body: readonly Token[], clause: Condition['clause']): Token[][] {
  const [separator, looser] = clause === 'when' ? ['&&', ['||', 'if']] : ['||', ['if']];
  const outermost = outermostOf(body);
  if (outermost.some(({ text }) => looser.includes(text))) return [[...body]];
  const ends = outermost.filter(({ text }) => text === separator).map(({ start }) => start);
  const parts: Token[][] = [[]];
  for (const token of body) {
    if (ends.includes(token.start)) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

function outermostOf(body: readonly Token[]): Token[] {
  let depth = 0;
  return body.filter((token) => {
    const before = depth;
    depth += depthChange(token);
    return before === 0 && depth === 0;
  });
}

function depthChange(token: Token | undefined): number {
  if (token === undefined) return 0;
  if ('([{'.includes(token.text)) return 1;
  return ')]}'.includes(token.text) ? -1 : 0;
}

function conditionFrom(policy: string, part: readonly Token[], clause: Condition['clause']): Condition {
  const start = part[0]?.start ?? 0;
  const source = policy.slice(start, part.at(-1)?.end ?? start);
  return { clause, text: onOneLine(source), line: policy.slice(0, start).split('\n').length - 1 };
}

/** Keeps strings, removes comments, and reduces other white space to one blank. */
function onOneLine(source: string): string {
  return source.replaceAll(/"[^"\\]*(?:\\[\s\S][^"\\]*)*"|(?:\/\/[^\n\r]*|\s)+/g, (found) =>
    found.startsWith('"') ? found : ' ',
  );
}
