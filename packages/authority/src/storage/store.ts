/** A value that both engines can bind and return. */
export type SqlValue = string | number | null;

/** One row: column names and values. */
export type Row = Readonly<Record<string, SqlValue>>;

/** SQL that both engines run, with `$1`, `$2` … for the values. Made by `sql`. */
export interface Statement {
  readonly text: string;
  readonly values: readonly SqlValue[];
  /** In a batch: if the statement returns no row, nothing of the batch happens. */
  readonly required?: boolean;
}

/**
 * Where the authority keeps its state. One statement is atomic, and so is a batch. What has been acknowledged survives a
 * crash. A store rejects with `StoreUnavailable` only: requests that need it are then refused with 503.
 */
export interface Store {
  run(statement: Statement): Promise<readonly Row[]>;
  /** All statements or none. Undefined if a required statement returned no row: then nothing was changed. */
  batch(statements: readonly Statement[]): Promise<readonly (readonly Row[])[] | undefined>;
  /** The clock of the database, in unix seconds: one that all processes share. */
  clock(): Promise<number>;
  close(): Promise<void>;
}

/** The database cannot be used now. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** The status with which the OAuth endpoints answer. */
  readonly statusCode = 503;
}

/**
 * Writes a statement with its values bound, never pasted.
 *
 * @example
 * await store.run(sql`SELECT owner FROM countersign_agents WHERE id = ${id}`);
 */
export function sql(parts: TemplateStringsArray, ...values: readonly SqlValue[]): Statement {
  return { text: parts.reduce((text, part, index) => `${text}$${index}${part}`), values };
}

/** The statement, without which a batch must not happen. */
export function required(statement: Statement): Statement {
  return { ...statement, required: true };
}

export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  throw new TypeError(`the column '${column}' holds no text`);
}

export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value === 'number') return value;
  throw new TypeError(`the column '${column}' holds no number`);
}

export function optionalNumber(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : numberOf(row, column);
}

export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : textOf(row, column);
}
