const COMMENT_OR_STRING = /\/\/[^\n\r]*|"[^"]*"/g;
/** What makes the string behind it the id of an entity, or the text of an annotation. */
const ID_FOLLOWS = /(?:@\s*\w+\s*\(|((?:\w+\s*::\s*)+))\s*$/;
/** As far as a path can be read back. */
const MAX_PATH = 256;

/**
 * A policy without the ids of its entities. Policies of one shape are alike to Cedar's parser, and valid by a schema or
 * not: validation looks at the type of an entity, and at its id only to tell whether two are the same, so that each id is
 * replaced by its number. What an action or an enumerated entity is called does matter, and stays, as does all else to
 * the letter. Undefined where a look is not enough: with an escape, with characters that Cedar might warn of, or where a
 * comment parts a string from what says what it is.
 */
export function shapeOf(text: string, enumeratedTypes: ReadonlySet<string>): string | undefined {
  if (/[^\t\n\r -~]|\\/.test(text)) return undefined;
  const numbers = new Map<string, number>();
  let shape = '';
  let copied = 0;
  let before = 0;
  for (const { 0: token, index } of text.matchAll(COMMENT_OR_STRING)) {
    if (token.startsWith('"')) {
      const read = text.slice(Math.max(before, index - MAX_PATH), index);
      // A path has none of these, so that what stands behind one is whole.
      if (!/[^\w\s:]/.test(read)) return undefined;
      if (isReplaceable(token, read, enumeratedTypes)) {
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
  // Of a tab or a line break in an id Cedar warns, and a carriage return it does not take.
  if (/[\t\n\r]/.test(token)) return false;
  const found = ID_FOLLOWS.exec(before);
  if (found === null) return false;
  const type = found[1]?.replaceAll(/\s|::\s*$/g, '');
  return type === undefined || !isNamed(type, enumeratedTypes);
}

function isNamed(type: string, enumeratedTypes: ReadonlySet<string>): boolean {
  return /(?:^|::)Action$/.test(type) || enumeratedTypes.has(type);
}

/** Finds what is alike for one schema. A policy without a shape is like itself only. */
export class Shapes {
  readonly #enumeratedTypes: ReadonlySet<string>;
  readonly #byText = new Map<string, string>();
  readonly #shapes = new Map<string, string>();

  constructor(enumeratedTypes: ReadonlySet<string>) {
    this.#enumeratedTypes = enumeratedTypes;
  }

  /** Items by the shape of their text, each list in their order. No shape is the text of a policy that has none. */
  group<Item>(items: Iterable<Item>, textOf: (item: Item) => string): ReadonlyMap<string, readonly [Item, ...Item[]]> {
    const groups = new Map<string, [Item, ...Item[]]>();
    for (const item of items) {
      const shape = this.#of(textOf(item));
      const alike = groups.get(shape);
      if (alike === undefined) groups.set(shape, [item]);
      else alike.push(item);
    }
    return groups;
  }

  #of(text: string): string {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const own = shapeOf(text, this.#enumeratedTypes) ?? text;
    // One string for all that are alike.
    const shape = this.#shapes.get(own) ?? own;
    this.#shapes.set(shape, shape);
    this.#byText.set(text, shape);
    return shape;
  }
}
