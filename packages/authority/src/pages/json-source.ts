/**
 * The members of a JSON object, each with its value as text, indented. Numbers are as they are written: another reader of
 * the same bytes may keep digits that a double loses. `text` must be an object that `parseStrictJson` accepts.
 */
export function membersOfSource(text: string): readonly (readonly [name: string, value: string])[] {
  const tokens = tokensOf(text);
  tokens.next();
  return entriesOf(tokens, (name) => [unquoted(name), valueAfterColon(tokens, '')] as const);
}

/** Any value of JSON as text, written in the same way. */
export function valueOfSource(text: string): string {
  const tokens = tokensOf(text);
  return write(next(tokens), tokens, '');
}

/** The text that a string of JSON stands for. */
export function unquoted(string: string): string {
  return String(JSON.parse(string));
}

type Tokens = Generator<string, undefined>;

/** Reads up to the bracket that closes a list or an object. */
function entriesOf<T>(tokens: Tokens, read: (first: string) => T): readonly T[] {
  const entries: T[] = [];
  for (let token = next(tokens); token !== '}' && token !== ']'; token = next(tokens)) {
    if (token !== ',') entries.push(read(token));
  }
  return entries;
}

function write(first: string, tokens: Tokens, indent: string): string {
  // Spelt anew: a name may hide behind escapes.
  if (first.startsWith('"')) return JSON.stringify(unquoted(first));
  if (first !== '{' && first !== '[') return first;
  const inner = `${indent}  `;
  const entries = entriesOf(tokens, (token) =>
    first === '[' ? write(token, tokens, inner) : `${write(token, tokens, '')}: ${valueAfterColon(tokens, inner)}`,
  );
  const close = first === '[' ? ']' : '}';
  return entries.length === 0 ? first + close : `${first}\n${inner}${entries.join(`,\n${inner}`)}\n${indent}${close}`;
}

function valueAfterColon(tokens: Tokens, indent: string): string {
  tokens.next();
  return write(next(tokens), tokens, indent);
}

function next(tokens: Tokens): string {
  const { value } = tokens.next();
  if (value === undefined) throw new TypeError('the text is no JSON object');
  return value;
}

/** Brackets, commas, colons, strings with their quotation marks, and the rest: numbers and literals. */
function* tokensOf(text: string): Tokens {
  for (let at = 0; at < text.length; ) {
    const end = endOfToken(text, at);
    if (!' \t\r\n'.includes(text.charAt(at))) yield text.slice(at, end);
    at = end;
  }
}

function endOfToken(text: string, start: number): number {
  const first = text.charAt(start);
  let end = start + 1;
  if (first === '"') {
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    return end + 1;
  }
  if ('{}[],: \t\r\n'.includes(first)) return end;
  while (end < text.length && !',]} \t\r\n'.includes(text.charAt(end))) end += 1;
  return end;
}
