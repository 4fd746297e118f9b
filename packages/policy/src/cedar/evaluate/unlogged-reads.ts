import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { errorText } from '../instance/error-text.js';
import { freshCedar } from '../instance/instance.js';
import type { Policy } from '../load/policy-set.js';
import { details } from '../text/details.js';

/** The policies whose decision may depend on facts that an audit log does not have. */
export interface UnloggedReaders {
  /** They may read attributes, tags or parents of the resource. */
  readonly ofResource: readonly Policy[];
  readonly ofDetails: readonly Policy[];
}

/** @throws Error if Cedar refuses a policy that it accepted at load. */
export function unloggedReaders(policies: readonly Policy[]): UnloggedReaders {
  const cedar = freshCedar();
  const parsed = policies.map((policy) => {
    const answer = cedar.policyToJson(policy.text);
    if (answer.type === 'failure') throw new Error(answer.errors.map((error) => errorText(error)).join('; '));
    return { policy, json: answer.json };
  });
  const readers = (reads: (json: PolicyJson) => boolean): Policy[] =>
    parsed.filter(({ json }) => reads(json)).map(({ policy }) => policy);
  return {
    ofResource: readers(({ resource, conditions }) => 'in' in resource || resource.op === 'in' || reads(conditions)),
    ofDetails: readers(({ conditions }) => details.reads(conditions)),
  };
}

/** Operators that read attributes, tags or parents of their left operand, if that is an entity. */
const READS: ReadonlySet<string> = new Set(['.', 'has', 'in', 'hasTag', 'getTag']);

/**
 * The longest path of a read that cannot reach the resource, by its variable: a further name could be an attribute whose
 * value is the resource.
 */
const LONGEST: ReadonlyMap<unknown, number> = new Map([
  ['principal', 2],
  ['action', 2],
  ['context', 3],
]);

function reads(node: unknown): boolean {
  if (!isNode(node)) return false;
  return Object.entries(node).some(([operator, operand]) => mayReach(operator, operand) || reads(operand));
}

/** Whether the operation may read the resource. Anything but a short path counts, because it could be the resource. */
function mayReach(operator: string, operand: unknown): boolean {
  if (!isNode(operand)) return false;
  if (!READS.has(operator) && !(operator === 'is' && 'in' in operand)) return false;
  const [variable, ...names] = pathOf(operand['left']);
  const read = [operand['attr'] ?? 'parents'].flat();
  return 1 + names.length + read.length > (LONGEST.get(variable) ?? 0);
}

/** The variable and the names of `context.request.method`; empty for any other expression. */
function pathOf(node: unknown): readonly unknown[] {
  if (!isNode(node)) return [];
  if ('Var' in node) return [node['Var']];
  const { '.': access } = node;
  const start = isNode(access) ? pathOf(access['left']) : [];
  return start.length === 0 || !isNode(access) ? [] : [...start, access['attr']];
}

function isNode(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
