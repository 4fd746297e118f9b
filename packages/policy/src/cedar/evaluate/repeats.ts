import type { PolicyQuery } from '../../engine.js';
import { Memo } from './memo.js';

/** A query whose content is given by a key: equal keys are of equal queries. */
export interface RepeatableQuery {
  readonly key: string;
  /** A copy, so that what is evaluated is what the key says. */
  readonly query: PolicyQuery;
}

type CallerContext = Omit<PolicyQuery['context'], 'authorizationDetails' | 'request'>;

interface NumberedCaller {
  readonly number: number;
  readonly context: CallerContext;
}

/**
 * Evaluations of queries that came before, of callers whose part of the query is frozen, as the guard makes it: such a
 * part is checked, copied and put into a key once. Belongs to one policy set.
 */
export class Repeats extends Memo {
  readonly #callers = new WeakMap<object, NumberedCaller>();
  #count = 0;

  /** Undefined if something in the query may be more than texts, or can change. Reads each member once. */
  repeatable({ principal, action, resource, context }: PolicyQuery): RepeatableQuery | undefined {
    const { type, id, attributes, parents } = resource;
    if (attributes !== undefined || parents !== undefined) return undefined;
    if (context.authorizationDetails !== undefined) return undefined;
    const { method, path } = context.request;
    const texts = [action, type, id, method, path];
    if (!texts.every((text) => typeof text === 'string')) return undefined;
    const caller = this.#numbered(principal, context);
    if (caller === undefined) return undefined;
    const query = {
      principal,
      action,
      resource: { type, id },
      context: { ...caller.context, request: { method, path } },
    };
    return { key: `${caller.number} ${JSON.stringify(texts)}`, query };
  }

  #numbered(principal: PolicyQuery['principal'], asked: PolicyQuery['context']): NumberedCaller | undefined {
    const last = this.#callers.get(principal);
    if (last !== undefined && sameMembers(last.context, asked)) return last;
    const { authorizationDetails: _details, request: _request, ...context } = asked;
    if (!isFrozenData(principal) || !isFrozenData(Object.freeze(context))) return undefined;
    this.#count += 1;
    const added = { number: this.#count, context };
    this.#callers.set(principal, added);
    return added;
  }
}

function sameMembers(one: CallerContext, other: CallerContext): boolean {
  return (
    one.scope === other.scope &&
    one.onBehalfOf === other.onBehalfOf &&
    one.onBehalfOfAgent === other.onBehalfOfAgent &&
    one.depth === other.depth &&
    one.via === other.via &&
    one.proof === other.proof &&
    one.possession === other.possession
  );
}

const plainPrototypes: readonly unknown[] = [Object.prototype, Array.prototype, null];

/** Whether a value, with all in it, can never be read differently: primitives, and frozen plain objects and lists of them, without getters. */
function isFrozenData(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function';
  if (!Object.isFrozen(value) || !plainPrototypes.includes(Object.getPrototypeOf(value))) return false;
  return Object.values(Object.getOwnPropertyDescriptors(value)).every(
    (property) => 'value' in property && isFrozenData(property.value),
  );
}
