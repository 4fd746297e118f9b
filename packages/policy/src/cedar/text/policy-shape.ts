import { eachInTurn, type Turns } from '@countersign/common';

const COMMENT_OR_STRING = /\/\/[^\n\r]*|"[^"]*"/g;
/** The text before a string that is an entity id or the value of an annotation. */
const BEFORE_ID = /(?:@\s*\w+\s*\(|((?:\w+\s*::\s*)+))\s*$/;
/** Characters before a string in which its type is looked for. */
const MAX_PATH = 256;

/**
 * The text of a policy with each entity id and annotation value replaced by a number. Equal strings get equal numbers.
 * Cedar parses and validates all policies of one shape with the same result, as validation compares ids only with each
 * other. Ids of actions and of enumerated entities are validated, and therefore kept.
 *
 * Returns undefined if the text cannot be analysed by tokens: with an escape, with characters that Cedar warns about, or
 * with a comment between a string and its type.
 */
export function shapeOf(text: string, enumeratedTypes: ReadonlySet<string>): string | undefined {
  if (/[^\t\n\r -~]|\\/.test(text)) return undefined;
  const numbers = new Map<string, number>();
  let shape = '';
  let copied = 0;
  let before = 0;
  for (const { 0: token, index } of text.matchAll(COMMENT_OR_STRING)) {
    if (token.startsWith('"')) {
      const preceding = text.slice(Math.max(before, index - MAX_PATH), index);
      // Without a character that no path contains, a comment or MAX_PATH may have cut the path off.
      if (!/[^\w\s:]/.test(preceding)) return undefined;
      if (isReplaceable(token, preceding, enumeratedTypes)) {
        const number = numbers.get(token) ?? numbers.size;
        numbers.set(token, number);
        shape += `${text.slice(copied, index)}"${number}"`;
        copied = index + token.length;
      }
    }
    before = index + token.length;
  }
  return shape + text.slice(copied);
}

function isReplaceable(token: string, before: string, enumeratedTypes: ReadonlySet<string>): boolean {
  // Cedar warns about a tab or line feed in an id, and refuses a carriage return.
  if (/[\t\n\r]/.test(token)) return false;
  const found = BEFORE_ID.exec(before);
  if (found === null) return false;
  const type = found[1]?.replaceAll(/\s|::\s*$/g, '');
  return type === undefined || !hasValidatedIds(type, enumeratedTypes);
}

function hasValidatedIds(type: string, enumeratedTypes: ReadonlySet<string>): boolean {
  return /(?:^|::)Action$/.test(type) || enumeratedTypes.has(type);
}

/** Groups policies by shape, for one schema. A policy without a shape is grouped only with identical text. */
export class Shapes {
  readonly #enumeratedTypes: ReadonlySet<string>;
  readonly #byText = new Map<string, string>();
  readonly #shapes = new Map<string, string>();

  constructor(enumeratedTypes: ReadonlySet<string>) {
    this.#enumeratedTypes = enumeratedTypes;
  }

  /** Groups items by the shape of their text and keeps their order. */
  async group<Item>(
    items: Iterable<Item>,
    textOf: (item: Item) => string,
    turns: Turns,
  ): Promise<readonly (readonly [Item, ...Item[]])[]> {
    const groups = new Map<string, [Item, ...Item[]]>();
    await eachInTurn(items, turns, (item) => {
      const shape = this.#of(textOf(item));
      const group = groups.get(shape);
      if (group === undefined) groups.set(shape, [item]);
      else group.push(item);
    });
    return [...groups.values()];
  }

  #of(text: string): string {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const own = shapeOf(text, this.#enumeratedTypes) ?? text;
    // Equal shapes share one string, to save memory.
    const shape = this.#shapes.get(own) ?? own;
    this.#shapes.set(shape, shape);
    this.#byText.set(text, shape);
    return shape;
  }
}
