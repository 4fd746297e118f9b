/** The source text of one policy, from its first token to its `;`. */
export interface Statement {
  readonly text: string;
  /** Line of its first token, from 1. */
  readonly line: number;
}

/**
 * Cedar parses and evaluates recursively. About 150 nested brackets, or 120 terms of one `&&` chain, can exhaust the
 * stack of its WebAssembly instance: at load, or at the first request that reaches the policy.
 */
export const MAX_DEPTH = 64;

/** Cedar's time for a list grows with the square of its length. */
export const MAX_TERMS = 50_000;

export const TOKEN: RegExp = /\/\/[^\n\r]*|"[^"\\]*(?:\\[\s\S][^"\\]*)*"?|[A-Za-z_]\w*|&&|\|\||\S/g;

/** White space and comments. */
const TRIVIA = /\s*(?:\/\/[^\n\r]*\s*)*/y;
/** The `;` that ends a policy, or a comment or string whose `;` does not. */
const BORDER = /\/\/[^\n\r]*|"[^"\\]*(?:\\[\s\S][^"\\]*)*"?|;/g;

/** Splits source text into policies, one at a time. Syntax errors are left to Cedar. */
export function* splitPolicies(source: string): Generator<Statement, void> {
  let line = 1;
  let counted = 0;
  for (let start = endOfTrivia(source, 0); start < source.length; ) {
    const end = endOfPolicy(source, start);
    line += newlines(source.slice(counted, start));
    counted = start;
    yield { text: source.slice(start, end), line };
    start = endOfTrivia(source, end);
  }
}

function endOfTrivia(source: string, from: number): number {
  TRIVIA.lastIndex = from;
  TRIVIA.test(source);
  return TRIVIA.lastIndex;
}

function endOfPolicy(source: string, from: number): number {
  BORDER.lastIndex = from;
  for (;;) {
    const border = BORDER.exec(source);
    if (border === null) return source.length;
    if (border[0] === ';') return BORDER.lastIndex;
  }
}

/** An upper bound of the depth of a policy's syntax tree, computed before Cedar parses it. */
export function depthOf(text: string): number {
  const meter = new DepthMeter();
  for (const { 0: token } of text.matchAll(TOKEN)) if (!token.startsWith('//')) meter.read(token);
  return meter.total();
}

/** The total number of terms in the lists of a policy. */
export function termsOf(text: string): number {
  let terms = 1;
  for (const { 0: token } of text.matchAll(TOKEN)) if (token === ',') terms++;
  return terms;
}

/** The line of a byte offset that Cedar reports, where the text begins on `firstLine`. */
export function lineAt(text: string, byteOffset: number, firstLine: number): number {
  return firstLine + newlines(Buffer.from(text).subarray(0, byteOffset).toString());
}

function newlines(text: string): number {
  return text.split('\n').length - 1;
}

/** The state within one pair of brackets. */
interface Level {
  /** Number of `&&`, `||`, `if` and clauses: each puts the operands before it one level deeper. */
  chain: number;
  /** Depth of the deepest operand of the chain so far. */
  deepest: number;
  /** For the current operand: its operators, and the depth of its deepest bracket. */
  operators: number;
  inner: number;
}

class DepthMeter {
  #level: Level = newLevel();
  readonly #outer: Level[] = [];

  read(token: string): void {
    const level = this.#level;
    switch (token) {
      case '[':
        // After an operand it is an access, which chains like a dot. A list is counted one level too deep.
        level.operators++;
        this.#open(level);
        break;
      case '(':
      case '{':
        this.#open(level);
        break;
      case ')':
      case ']':
      case '}':
        this.#close();
        break;
      case '&&':
      case '||':
      case 'if':
      case 'when':
      case 'unless':
        level.chain++;
        endOperand(level);
        break;
      case ',':
      case 'then':
      case 'else':
        endOperand(level);
        break;
      case '.':
      case '+':
      case '-':
      case '*':
      case '!':
        level.operators++;
        break;
      default:
    }
  }

  total(): number {
    while (this.#outer.length > 0) this.#close();
    return levelDepth(this.#level);
  }

  #open(level: Level): void {
    this.#outer.push(level);
    this.#level = newLevel();
  }

  #close(): void {
    const outer = this.#outer.pop();
    if (outer === undefined) return;
    outer.inner = Math.max(outer.inner, levelDepth(this.#level));
    this.#level = outer;
  }
}

function newLevel(): Level {
  return { chain: 0, deepest: 0, operators: 0, inner: 0 };
}

function endOperand(level: Level): void {
  level.deepest = Math.max(level.deepest, level.operators + level.inner);
  level.operators = 0;
  level.inner = 0;
}

function levelDepth(level: Level): number {
  return 1 + level.chain + Math.max(level.deepest, level.operators + level.inner);
}
