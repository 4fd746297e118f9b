const maxValues = 3;
const maxCharacters = 100;

/** Some of the names that a token says, or that are expected of it, for logs: never more than a few, and never long. */
export function quoteForLog(names: string | readonly string[]): string {
  const all = typeof names === 'string' ? [names] : names;
  const some = all.slice(0, maxValues).map((name) => JSON.stringify(name.slice(0, maxCharacters)));
  return all.length > maxValues ? `${some.join(', ')}, …` : some.join(', ');
}
