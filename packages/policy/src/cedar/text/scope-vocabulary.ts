import { parseScope } from '@countersign/delegation';
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/** Every string literal of a policy's conditions that could be a delegated scope; entity ids are not literals. */
export function scopesInJson({ conditions }: PolicyJson): string[] {
  const found: string[] = [];
  collect(conditions, found);
  return found;
}

/** A literal is `{ "Value": … }`, also within other expressions. Recursion is bounded, as the depth was checked. */
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

/** The same for the text of clauses that Cedar has accepted. Undefined with an escape: use Cedar's JSON. */
export function scopesInText(body: string): string[] | undefined {
  if (body.includes('\\')) return undefined;
  const tokens = (body.match(TOKEN) ?? []).filter((token) => !token.startsWith('//'));
  return tokens
    .filter((token, index) => token.startsWith('"') && isValue(tokens, index))
    .map((token) => token.slice(1, -1))
    .filter(isOneScope);
}

/** Excludes entity ids, patterns, record keys and attribute names. */
function isValue(tokens: readonly string[], index: number): boolean {
  const before = tokens[index - 1] ?? '';
  if (before === '::' || before === 'like' || before === 'has' || tokens[index + 1] === ':') return false;
  return before !== '[' || !endsOperand(tokens[index - 2] ?? '');
}

/** Whether a bracket after this token is an attribute access, not a set. */
function endsOperand(token: string): boolean {
  return /^(?:[)\]}"]|(?!(?:in|if|then|else|like|has)$)\w)/.test(token);
}

function isOneScope(text: string): boolean {
  const read = parseScope(text);
  return read.ok && read.scope.length === 1 && read.scope[0] === text;
}
