import type { ParseBudget, ParseOptions, StructuredFieldProblem } from './types.js';

/** A position in a field value. The first problem is kept; after it every reader returns `undefined`. */
export class Scanner {
  position = 0;
  problem: StructuredFieldProblem | undefined;
  readonly input: string;
  readonly refuseDuplicates: boolean;
  readonly #budget: ParseBudget | undefined;

  constructor(input: string, { duplicates = 'last', budget }: ParseOptions = {}) {
    this.input = input;
    this.refuseDuplicates = duplicates === 'refuse';
    this.#budget = budget;
  }

  get done(): boolean {
    return this.position >= this.input.length;
  }

  /** The code of the current character, NaN at the end. */
  peek(): number {
    return this.input.charCodeAt(this.position);
  }

  /** Consumes the next character if it is this one. */
  take(code: number): boolean {
    if (this.peek() !== code) return false;
    this.position += 1;
    return true;
  }

  skipSpaces(): void {
    while (this.peek() === 0x20) this.position += 1;
  }

  /** OWS of RFC 9110 §5.6.3: spaces and tabs. */
  skipOptionalWhitespace(): void {
    while (this.peek() === 0x20 || this.peek() === 0x09) this.position += 1;
  }

  /** Counts one key, item or inner list; false if it is one too many. */
  count(): boolean {
    if (this.#budget === undefined) return true;
    this.#budget.parts -= 1;
    if (this.#budget.parts >= 0) return true;
    this.fail('too many parts', 'too_long');
    return false;
  }

  /** Matches a sticky pattern here and consumes the match. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.input);
    if (found === null) return undefined;
    this.position += found[0].length;
    return found;
  }

  fail(detail: string, kind: StructuredFieldProblem['kind'] = 'syntax'): undefined {
    this.problem ??= { kind, detail: `${detail} at offset ${this.position}` };
    return undefined;
  }
}
