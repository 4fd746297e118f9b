const COMMENT_OR_STRING = /\/\/[^\n\r]*|"[^"]*"/g;
/** What makes the string behind it the id of an entity, or the text of an annotation. */
const ID_FOLLOWS = /(?:@\s*\w+\s*\(|((?:\w+\s*::\s*)+))\s*$/;
/** As far as a path can be read back: a longer one stays as it is. */
const MAX_PATH = 256;

/**
 * A policy without the ids of its entities. Policies of one shape are alike to Cedar's parser, and valid by a schema or
 * not: validation looks at the type of an entity, and at its id only to tell whether two are the same, so that each id is
 * replaced by its number. What an action or an enumerated entity is called does matter, and stays, as does all else to
 * the letter. Undefined where a look is not enough: with an escape, or with characters that Cedar might warn of.
 */
export function shapeOf(text: string, enumeratedTypes: ReadonlySet<string>): string | undefined {
  if (/[^\t\n\r -~]|\\/.test(text)) return undefined;
  const numbers = new Map<string, number>();
  let shape = '';
  let copied = 0;
  let before = 0;
  for (const { 0: token, index } of text.matchAll(COMMENT_OR_STRING)) {
    if (token.startsWith('"') && isReplaceable(text, before, index, enumeratedTypes)) {
      const number = numbers.get(token) ?? numbers.size;
      numbers.set(token, number);
      shape += `${text.slice(copied, index)}"${number}"`;
      copied = index + token.length;
    }
    before = index + token.length;
  }
  return shape + text.slice(copied);
}

/** Between what was read before it and the string must stand all that says what the string is. */
function isReplaceable(text: string, before: number, index: number, enumeratedTypes: ReadonlySet<string>): boolean {
  const from = Math.max(before, index - MAX_PATH);
  const found = ID_FOLLOWS.exec(text.slice(from, index));
  // What begins where the reading does may go on before it, behind a comment.
  if (found === null || (found.index === 0 && from > 0)) return false;
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
