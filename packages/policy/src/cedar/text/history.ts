import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/**
 * Whether a permit reads the history of the chain, `context.via`. Prior actors are informational (RFC 8693 §4.1):
 * history may forbid, never permit. A permit that uses `context` as a whole could reach `via`, and counts as reading it.
 */
export function permitReadsHistory({ effect, conditions }: PolicyJson): boolean {
  return effect === 'permit' && readsHistory(conditions);
}

/**
 * Whether the text of a permit's clauses might read the history: `context` occurs without the name of another attribute
 * behind it. The caller then checks the syntax tree. Comments and escapes count as a possible read.
 */
export function mightReadHistory(clauses: string): boolean {
  return /\bcontext\b(?!\s*(?:\.\s*|has\s+)(?!via\b)[A-Za-z_])/.test(clauses);
}

/** Recursion is bounded, as the depth of the text was checked. */
function readsHistory(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if (isContext(node)) return true;
  return Object.entries(node).some(([operator, operand]) => {
    const attribute = operator === '.' || operator === 'has' ? attributeOfContext(operand) : undefined;
    return attribute === undefined ? readsHistory(operand) : attribute === 'via';
  });
}

/** The JSON of `context.x` and `context has x` is `{ left: { Var: 'context' }, attr: 'x' }`; of `has x.y`, a list. */
function attributeOfContext(operand: unknown): string | undefined {
  if (typeof operand !== 'object' || operand === null || !('left' in operand) || !('attr' in operand)) return undefined;
  if (!isContext(operand.left)) return undefined;
  const attribute: unknown = Array.isArray(operand.attr) ? operand.attr[0] : operand.attr;
  return typeof attribute === 'string' ? attribute : undefined;
}

function isContext(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Var' in node && node.Var === 'context';
}
