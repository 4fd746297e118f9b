import type { auditRecordSchema, LogRecord } from '@countersign/audit';
import type { RefusalCode } from '../src/model/refusal.js';

/** The TypeScript type that a JSON Schema of our kind describes. */
type FromSchema<Schema> = Schema extends { readonly oneOf: readonly (infer Choice)[] }
  ? FromSchema<Choice>
  : Schema extends { readonly const: infer Value }
    ? Value
    : Schema extends { readonly enum: readonly (infer Value)[] }
      ? Value
      : Schema extends { readonly type: 'string' }
        ? string
        : Schema extends { readonly type: 'integer' | 'number' }
          ? number
          : Schema extends { readonly type: 'array'; readonly items: infer Item }
            ? readonly FromSchema<Item>[]
            : Schema extends { readonly required: readonly (infer Name)[]; readonly properties: infer Properties }
              ? FromProperties<Properties, Name>
              : Schema extends { readonly properties: infer Properties }
                ? FromProperties<Properties, never>
                : never;

type FromProperties<Properties, Required> = {
  readonly [Name in keyof Properties as Name extends Required ? Name : never]: FromSchema<Properties[Name]>;
} & { readonly [Name in keyof Properties as Name extends Required ? never : Name]?: FromSchema<Properties[Name]> };

/** The schema does not list the codes of refusals: the catalogue does, and it grows. */
type Written<Type> = Type extends RefusalCode
  ? string
  : Type extends string | number | undefined
    ? Type
    : Type extends readonly (infer Item)[]
      ? readonly Written<Item>[]
      : { readonly [Name in keyof Type]: Written<Type[Name]> };

type Same<Left, Right> = [Flat<Left>, Keys<Left>] extends [Flat<Right>, Keys<Right>]
  ? [Flat<Right>, Keys<Right>] extends [Flat<Left>, Keys<Left>]
    ? true
    : false
  : false;

/** Every path of names, since a type with an optional member more is still assignable. */
type Keys<Type> = Type extends string | number | undefined
  ? never
  : Type extends readonly (infer Item)[]
    ? Keys<Item>
    : { [Name in keyof Type & string]: Name | `${Name}.${Keys<Exclude<Type[Name], undefined>>}` }[keyof Type & string];

type Flat<Type> = Type extends string | number | undefined
  ? Type
  : Type extends readonly (infer Item)[]
    ? readonly Flat<Item>[]
    : { readonly [Name in keyof Type]: Flat<Type[Name]> };

/** Does not compile where the type of a record and its JSON Schema differ. */
export const schemaAndTypeAreTheSame: Same<Written<LogRecord>, FromSchema<typeof auditRecordSchema>> = true;
