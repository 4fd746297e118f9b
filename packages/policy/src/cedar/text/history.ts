import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/**
 * Whether a permit reads the history of the chain. Prior actors are told to us for information only (RFC 8693 §4.1):
 * history may forbid, never permit. A permit that takes `context` whole could reach `via` by any detour, so that it
 * counts as reading it.
 */
export function permitsByHistory({ effect, conditions }: PolicyJson): boolean {
  return effect === 'permit' && readsHistory(conditions);
}

/**
 * Whether the text of a permit's clauses leaves it open: `context` stands there otherwise than before the name of another
 * attribute. Then its syntax tree tells. What a comment or an escape hides counts as open.
 */
export function mayPermitByHistory(clauses: string): boolean {
  return /\bcontext\b(?!\s*(?:\.\s*|has\s+)(?!via\b)[A-Za-z_])/.test(clauses);
}

/** Depth is bounded: the text was measured. */
function readsHistory(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if (isContext(node)) return true;
  return Object.entries(node).some(([operator, operand]) => {
    const attribute = operator === '.' || operator === 'has' ? attributeOfContext(operand) : undefined;
    return attribute === undefined ? readsHistory(operand) : attribute === 'via';
  });
}

/** `context.x` and `context has x` stand as `{ left: { Var: 'context' }, attr: 'x' }`; `context has x.y` with a list. */
function attributeOfContext(operand: unknown): string | undefined {
  if (typeof operand !== 'object' || operand === null || !('left' in operand) || !('attr' in operand)) return undefined;
  if (!isContext(operand.left)) return undefined;
  const attribute: unknown = Array.isArray(operand.attr) ? operand.attr[0] : operand.attr;
  return typeof attribute === 'string' ? attribute : undefined;
}

function isContext(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Var' in node && node.Var === 'context';
}
