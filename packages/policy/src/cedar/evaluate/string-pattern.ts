/**
 * What a condition compares a string with: the operand of `like`, or the literal of `==`. Matches as Cedar does: by
 * code point, without folding or normalisation.
 */
export class StringPattern {
  /** Equal for equal patterns only. */
  readonly id: string;
  /** The literal texts between the wildcards. */
  readonly #first: string;
  readonly #middle: readonly string[];
  readonly #last: string | undefined;

  constructor(texts: readonly string[]) {
    const [first = '', ...others] = texts;
    this.id = JSON.stringify(texts);
    this.#first = first;
    this.#last = others.pop();
    this.#middle = others;
  }

  matches(text: string): boolean {
    const last = this.#last;
    if (last === undefined) return text === this.#first;
    if (!text.startsWith(this.#first) || !text.endsWith(last)) return false;
    let from = this.#first.length;
    for (const part of this.#middle) {
      const found = text.indexOf(part, from);
      if (found === -1) return false;
      from = found + part.length;
    }
    return from + last.length <= text.length;
  }
}

/** Cedar's JSON of a pattern is a list of `"Wildcard"` and `{ Literal }`. Undefined for anything else. */
export function patternFromJson(json: unknown): StringPattern | undefined {
  if (!Array.isArray(json)) return undefined;
  const texts = [''];
  for (const element of json as readonly unknown[]) {
    if (element === 'Wildcard') {
      texts.push('');
      continue;
    }
    if (typeof element !== 'object' || element === null) return undefined;
    const { Literal: literal } = element as { readonly Literal?: unknown };
    if (typeof literal !== 'string') return undefined;
    texts.push(`${texts.pop() ?? ''}${literal}`);
  }
  return new StringPattern(texts);
}
