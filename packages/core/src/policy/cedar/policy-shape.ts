const TOKEN = /\/\/[^\n\r]*|"[^"]*"|\w+|::|\S/g;

/**
 * A policy without the ids of its entities. Policies of one shape are valid by a schema or not alike: validation looks at
 * the type of an entity, and at its id only to tell whether two are the same, so that each id is replaced by its number.
 * What an action or an enumerated entity is called does matter, and stays, as does all else to the letter. Undefined where
 * a look is not enough: with an escape, or with characters that Cedar might warn of.
 */
export function shapeOf(text: string, enumeratedTypes: ReadonlySet<string>): string | undefined {
  if (/[^\t\n\r -~]|\\/.test(text)) return undefined;
  const numbers = new Map<string, number>();
  const path = new PathReader();
  return text.replaceAll(TOKEN, (token) => {
    if (token.startsWith('//')) return token;
    const type = path.read(token);
    if (type === undefined || !token.startsWith('"') || isNamed(type, enumeratedTypes)) return token;
    const number = numbers.get(token) ?? numbers.size;
    numbers.set(token, number);
    return `"${number}"`;
  });
}

function isNamed(type: string, enumeratedTypes: ReadonlySet<string>): boolean {
  return type !== '@' && (/(?:^|::)Action$/.test(type) || enumeratedTypes.has(type));
}

/** Knows which type a string is the id of. Of an annotation, whose text validation never sees, it is `@`. */
class PathReader {
  #path = '';
  #before = '';

  read(token: string): string | undefined {
    const before = this.#before;
    this.#before = token;
    if (/^\w/.test(token)) {
      this.#path = before === '@' ? '@' : before === '::' ? `${this.#path}::${token}` : token;
      return undefined;
    }
    if (!token.startsWith('"')) return undefined;
    if (before === '::') return this.#path;
    return before === '(' && this.#path === '@' ? '@' : undefined;
  }
}
