/** What kind of value an option takes. */
export type Kind = 'integer' | 'number' | 'flag' | 'switch' | 'choice';

type KindOf<Value> = [Value] extends [never]
  ? never
  : [Value] extends [number]
    ? 'integer' | 'number'
    : [Value] extends [boolean]
      ? [boolean] extends [Value]
        ? 'flag'
        : 'switch'
      : string extends Value
        ? never
        : [Value] extends [string]
          ? 'choice'
          : never;

/** Other values of an option, like a function or an object, are read elsewhere. */
type Plain<Value> = Extract<Value, number | boolean | string>;

/** The numeric, boolean and enumerated options of a type. The compiler says which one is missing here. */
export type Kinds<Options> = {
  readonly [Name in keyof Options as KindOf<Plain<Options[Name]>> extends never ? never : Name]-?: KindOf<
    Plain<Options[Name]>
  >;
};

/** A public function, or a nested object of its options. */
export interface OptionRow {
  readonly name: string;
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly open: (change: object) => unknown;
  /** Whether it opens without a server behind it. */
  readonly opens: boolean;
}

/** `required`: the options without which nothing opens. */
export function optionRow<Options extends object>(
  name: string,
  kinds: Kinds<Options>,
  open: (options: Options) => unknown,
  { required = {}, opens = true }: { readonly required?: object; readonly opens?: boolean } = {},
): OptionRow {
  return { name, kinds, opens, open: (change) => open({ ...required, ...change } as Options) };
}

const neverRight: readonly unknown[] = [null, '', 'false', Number.NaN, []];
const noNumbers: readonly unknown[] = [...neverRight, '5', Infinity, -1, true, [5], 5n, {}];

/** What programs without types, and environments, put in place of a value. */
export const wrongValues: Readonly<Record<Kind, readonly unknown[]>> = {
  integer: [...noNumbers, 1.5],
  number: noNumbers,
  flag: [...neverRight, 'true', 0, 1, {}],
  /** True, or an object with options of its own. */
  switch: [...neverRight, 'true', 0, 1, false],
  choice: [...neverRight, 'other', true, 0, {}],
};

interface Closable {
  close?(): unknown;
}

/** Opens what an option belongs to, and closes it. */
export async function opened(part: Closable | Promise<Closable>): Promise<void> {
  await (await part).close?.();
}
