/** A bare item of RFC 9651 §3.3. The type is kept beside the value: `1` and `1.0` are different items. */
export type BareItem =
  | { readonly type: 'integer'; readonly value: number }
  | { readonly type: 'decimal'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'token'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'date'; readonly value: number }
  | { readonly type: 'display-string'; readonly value: string };

/** Parameters in the order in which they first appeared (RFC 9651 §3.1.2). */
export type Parameters = ReadonlyMap<string, BareItem>;

export interface Item {
  readonly value: BareItem;
  readonly parameters: Parameters;
}

export interface InnerList {
  readonly items: readonly Item[];
  readonly parameters: Parameters;
}

export type Member = Item | InnerList;
export type List = readonly Member[];
export type Dictionary = ReadonlyMap<string, Member>;

/** The three top-level structures a field can be defined as. */
export type StructuredType = 'item' | 'list' | 'dictionary';

/** Why a field value does not parse as its structured type. */
export interface StructuredFieldProblem {
  readonly kind: 'syntax' | 'duplicate_key' | 'duplicate_parameter' | 'too_long';
  readonly detail: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: StructuredFieldProblem };

export interface ParseOptions {
  /**
   * How to treat a repeated dictionary key or parameter. RFC 9651 lets the last one win (`'last'`, the default);
   * `'refuse'` is for fields that carry a security decision, where a first-wins reader must not see another value.
   */
  readonly duplicates?: 'last' | 'refuse';
  /** The remaining budget, at whose end parsing stops. For fields of unknown senders. Default: no limit. */
  readonly budget?: ParseBudget;
}

/** The budget of all parses that share this object; each of them decrements it. */
export interface ParseBudget {
  /** Keys, items and inner lists. */
  parts: number;
}

/** Everything without parameters shares this map, so nothing can be added to it. */
export const NO_PARAMETERS: Parameters = Object.freeze(
  Object.defineProperty(new Map(), 'set', {
    value: () => {
      throw new TypeError('these parameters are read-only');
    },
  }),
);

export function isInnerList(member: Member): member is InnerList {
  return 'items' in member;
}
