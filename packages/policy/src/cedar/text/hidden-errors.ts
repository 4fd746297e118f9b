import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { ALWAYS, fallibleReadsIn, type Known, knownIf } from './fallible-reads.js';
import { conditionOf, type Facts, follows, isLiteral, operationOf, type Operands } from './trend.js';

type Values = readonly boolean[];

interface Errors {
  readonly possible: boolean;
  /** What an error can turn into when there are more of the facts. */
  readonly outcomes: Values;
}

const BOTH: Values = [true, false];
const NONE: Values = [];

/** Operators that may overflow. */
const ARITHMETIC = ['+', '-', '*', 'neg', 'offset', 'durationSince', 'toDate'];

/**
 * Whether more of the facts could hide an error of a policy, which denies: Cedar does not evaluate the right side of
 * `false && …`. An error of a forbid may turn into `true`, which denies, too. Errors of unexpected types are not foreseen.
 */
export function errorCouldPermit(policy: PolicyJson, facts: Facts, hasSchema: boolean): boolean {
  const { outcomes } = new ErrorVisitor(facts, hasSchema).visit(conditionOf(policy), ALWAYS);
  return policy.effect === 'permit' ? outcomes.length > 0 : outcomes.includes(false);
}

class ErrorVisitor {
  readonly #facts: Facts;
  readonly #hasSchema: boolean;

  constructor(facts: Facts, hasSchema: boolean) {
    this.#facts = facts;
    this.#hasSchema = hasSchema;
  }

  visit(node: unknown, known: Known): Errors {
    const [operator, operands] = operationOf(node);
    switch (this.#facts.reads(node) ? operator : undefined) {
      case '!': {
        const { possible, outcomes } = this.visit(operands['arg'], known);
        return { possible, outcomes: outcomes.map((value) => !value) };
      }
      case '&&':
        return this.#chain(operands, false, known);
      case '||':
        return this.#chain(operands, true, known);
      case 'if-then-else':
        return this.#branches(operands, known);
      default:
        // An error of what does not read the facts remains.
        return { possible: this.#canFail(node, known), outcomes: NONE };
    }
  }

  /** `end` is the value of the left side that ends the evaluation. */
  #chain({ left, right }: Operands, end: boolean, known: Known): Errors {
    const before = this.visit(left, known);
    const after = this.visit(right, knownIf(!end, left, known));
    return {
      possible: before.possible || after.possible,
      outcomes: joined(
        before.outcomes.includes(end) ? [end] : NONE,
        before.outcomes.includes(!end) ? BOTH : NONE,
        after.outcomes,
        after.possible && this.#canBecome(end, left) ? [end] : NONE,
      ),
    };
  }

  #branches({ if: test, then, else: otherwise }: Operands, known: Known): Errors {
    const deciding = this.visit(test, known);
    const first = this.visit(then, knownIf(true, test, known));
    const second = this.visit(otherwise, knownIf(false, test, known));
    return {
      possible: deciding.possible || first.possible || second.possible,
      outcomes: joined(
        deciding.outcomes.length > 0 ? BOTH : NONE,
        first.outcomes,
        second.outcomes,
        first.possible && this.#canBecome(false, test) ? valuesOf(otherwise) : NONE,
        second.possible && this.#canBecome(true, test) ? valuesOf(then) : NONE,
      ),
    };
  }

  #canBecome(value: boolean, node: unknown): boolean {
    return !follows(node, value ? -1 : 1, this.#facts);
  }

  #canFail(node: unknown, known: Known): boolean {
    return calculates(node) || fallibleReadsIn(node, known, this.#hasSchema).length > 0;
  }
}

function calculates(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  return Object.entries(node).some(([operator, operand]) => ARITHMETIC.includes(operator) || calculates(operand));
}

function valuesOf(node: unknown): Values {
  return BOTH.filter((value) => !isLiteral(node, !value));
}

function joined(...all: readonly Values[]): Values {
  return BOTH.filter((value) => all.some((values) => values.includes(value)));
}
