import { TOKEN } from './policy-text.js';

/** One condition of a `when`, all of which must hold, or of an `unless`, none of which may. */
export interface Condition {
  readonly clause: 'when' | 'unless';
  /** As it is written, without comments and on one line. */
  readonly text: string;
  /** Counted from the first line of the policy, from 0. */
  readonly line: number;
}

interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/**
 * The conditions of a policy that Cedar has accepted. A `when` is split at its outermost `&&`, an `unless` at its
 * outermost `||`; what binds less tightly than these, such as `if`, keeps a clause whole.
 */
export function conditionsOf(policy: string): Condition[] {
  const tokens = tokensOf(policy);
  const conditions: Condition[] = [];
  for (const [place, { text }] of tokens.entries()) {
    if ((text !== 'when' && text !== 'unless') || tokens[place + 1]?.text !== '{') continue;
    const body = bracketed(tokens, place + 1);
    for (const part of split(body, text)) conditions.push(conditionFrom(policy, part, text));
  }
  return conditions;
}

/** What is left of a condition if its strings are empty. */
export function withoutStrings(text: string): string {
  return text.replaceAll(/"[^"\\]*(?:\\[\s\S][^"\\]*)*"/g, '""');
}

function tokensOf(policy: string): Token[] {
  return [...policy.matchAll(TOKEN)]
    .map(({ 0: text, index }) => ({ text, start: index, end: index + text.length }))
    .filter(({ text }) => !text.startsWith('//'));
}

/** The tokens within the bracket that opens at a place. */
function bracketed(tokens: readonly Token[], opening: number): Token[] {
  let depth = 0;
  for (let place = opening; place < tokens.length; place++) {
    depth += depthChange(tokens[place]);
    if (depth === 0) return tokens.slice(opening + 1, place);
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

/** Strings stay as they are; comments go; other space is one blank. */
function onOneLine(source: string): string {
  return source.replaceAll(/"[^"\\]*(?:\\[\s\S][^"\\]*)*"|(?:\/\/[^\n\r]*|\s)+/g, (found) =>
    found.startsWith('"') ? found : ' ',
  );
}
