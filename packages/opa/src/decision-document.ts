import type { PolicyDecision } from '@countersign/policy';
import { decided, undecided } from '@countersign/pdp';

/** The result of a rule: `true`, `false`, or an object with more. */
interface DecisionDocument {
  readonly allow: boolean;
  /** Names of the deciding rules, for the audit record. */
  readonly policies: readonly string[];
}

/** Reads the result of a Rego rule as a decision. Any unexpected result is a deny. */
export function readDecision(result: unknown, policySet: string): PolicyDecision {
  if (result === undefined) return undecided('the rule is undefined: give it a default', policySet);
  const document = readDocument(result);
  if (document === undefined) {
    return undecided('the rule gave neither a boolean nor { "allow": boolean, "policies": […] } alone', policySet);
  }
  return decided(document.allow, policySet, document.policies);
}

function readDocument(result: unknown): DecisionDocument | undefined {
  if (typeof result === 'boolean') return { allow: result, policies: [] };
  if (typeof result !== 'object' || result === null) return undefined;
  const { allow, policies = [], ...others } = result as { readonly allow?: unknown; readonly policies?: unknown };
  // Such as a `deny` beside it, of a package queried as a whole: only the rule knows which of the two counts.
  if (Object.keys(others).length > 0) return undefined;
  return typeof allow === 'boolean' && isTexts(policies) ? { allow, policies } : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
