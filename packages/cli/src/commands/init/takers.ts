/** A function that gets a router or an application, and may give it routes. */
export interface Taker {
  /** Empty if it has none. */
  readonly name: string;
  /** Those of its parameters. */
  readonly names: readonly string[];
  /** The offset of its parameters. */
  readonly at: number;
  /** Of its body, as far as it can be told. */
  readonly start: number;
  readonly end: number;
}

const lists = /\(([^()]*)\)\s*(?::[^={};()]{0,100})?(=>\s*\{?|\{)|\b(\w+)\s*(=>\s*\{?)/g;
const named =
  /(?:\bfunction\s{1,5}(\w{1,50})|\b(\w{1,50})(?:: ?[\w.]{1,50}(?:<[^>\n]{0,100}>)?)?\s{0,5}=\s{0,5}(?:async\s{0,5})?(?:function\s{0,5})?|\b(\w{1,50}))\s{0,5}$/;
/** These have parentheses and a block, too. */
const statements = new Set(['if', 'for', 'while', 'switch', 'catch']);
const keywords = new Set(['function', 'async', 'default', 'return']);

/** `code`: without strings and comments. `owners`: the names of what may be a router. */
export function takersIn(code: string, owners: ReadonlySet<string>): readonly Taker[] {
  return [...code.matchAll(lists)].flatMap(({ index, 0: all, 1: list, 3: only = '' }) => {
    const names = list?.match(/\w+/g) ?? [only];
    const [, ...found] = named.exec(code.slice(Math.max(0, index - 200), index)) ?? [];
    const name = found.find((each) => each !== undefined) ?? '';
    if (!names.some((each) => owners.has(each)) || statements.has(name)) return [];
    const start = index + all.length;
    return [{ name: keywords.has(name) ? '' : name, names, at: index, start, end: endOfBlock(code, start) }];
  });
}

/** The offset of the bracket that ends what begins behind one. Quotes that are left are those of regular expressions. */
function endOfBlock(code: string, start: number): number {
  let depth = 1;
  for (let place = start; place < code.length; place += 1) {
    const character = code.charAt(place);
    if ('([{'.includes(character)) depth += 1;
    if (')]}'.includes(character)) depth -= 1;
    if (depth === 0) return place;
  }
  return code.length;
}
