import { parseScope } from '@countersign/delegation';
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/** Every string literal of the policies' conditions that could be a scope, sorted. Ids of entities are none. */
export function scopesIn(policies: readonly PolicyJson[]): string[] {
  const found = new Set<string>();
  for (const { conditions } of policies) collect(conditions, found);
  return [...found].toSorted();
}

/** Literals stand as `{ "Value": … }`, alone or inside other expressions. Depth is bounded: the text was measured. */
function collect(node: unknown, found: Set<string>): void {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'Value' && typeof value === 'string') {
      if (isOneScope(value)) found.add(value);
    } else {
      collect(value, found);
    }
  }
}

function isOneScope(text: string): boolean {
  const read = parseScope(text);
  return read.ok && read.scope.length === 1 && read.scope[0] === text;
}
