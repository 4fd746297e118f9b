import { parseScope } from '@countersign/delegation';
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/** Every string literal of a policy's conditions that could be a scope. Ids of entities are none. */
export function scopesInJson({ conditions }: PolicyJson): string[] {
  const found: string[] = [];
  collect(conditions, found);
  return found;
}

/** Literals stand as `{ "Value": … }`, alone or inside other expressions. Depth is bounded: the text was measured. */
function collect(node: unknown, found: string[]): void {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'Value' && typeof value === 'string') {
      if (isOneScope(value)) found.push(value);
    } else {
      collect(value, found);
    }
  }
}

const TOKEN = /\/\/[^\n\r]*|"[^"]*"|[A-Za-z_]\w*|::|\S/g;

/** The same, read from the text of clauses that Cedar has accepted. Undefined where an escape makes Cedar the one to ask. */
export function scopesInText(body: string): string[] | undefined {
  if (body.includes('\\')) return undefined;
  const tokens = (body.match(TOKEN) ?? []).filter((token) => !token.startsWith('//'));
  return tokens
    .filter((token, place) => token.startsWith('"') && isValue(tokens, place))
    .map((token) => token.slice(1, -1))
    .filter(isOneScope);
}

/** Not the id of an entity, a pattern, the key of a record, or the name of an attribute. */
function isValue(tokens: readonly string[], place: number): boolean {
  const before = tokens[place - 1] ?? '';
  if (before === '::' || before === 'like' || before === 'has' || tokens[place + 1] === ':') return false;
  return before !== '[' || !endsOperand(tokens[place - 2] ?? '');
}

/** Whether a bracket that follows is an attribute in brackets, not a set. */
function endsOperand(token: string): boolean {
  return /^(?:[)\]}"]|(?!(?:in|if|then|else|like|has)$)\w)/.test(token);
}

function isOneScope(text: string): boolean {
  const read = parseScope(text);
  return read.ok && read.scope.length === 1 && read.scope[0] === text;
}
