import { ConfigError } from '@countersign/common';

/** A query of `pg`. */
export interface PgQuery {
  readonly text: string;
  readonly values: unknown[];
  readonly types?: { readonly getTypeParser: (oid: number) => (value: string) => unknown };
}

/** A message of several statements has a result for each. */
export type PgResults = { readonly rows: unknown[] } | readonly { readonly rows: unknown[] }[];

/** What is used of a `Pool` of `pg`. Written out, so that an application needs no types of it. */
export interface PgPool {
  query(query: PgQuery): Promise<PgResults>;
  connect(): Promise<PgClient>;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  readonly options?: { readonly max?: number | undefined };
}

/** What is used of a client that the pool lends. */
export interface PgClient {
  query(query: PgQuery): Promise<PgResults>;
  release(destroy?: boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'notification', listener: () => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

export type Row = Readonly<Record<string, unknown>>;

/** The OIDs of BIGINT and of double precision, which the driver may give as text. Our numbers are far below 2^53. */
const numbers: readonly number[] = [20, 701];
const boolean = 16;
const types = {
  // The application may have set other parsers for the whole process.
  getTypeParser: (oid: number) => {
    if (numbers.includes(oid)) return Number;
    return oid === boolean ? (value: string) => value === 't' : String;
  },
};

/** The rows of the last statement in `text`. Only a text of one statement may have values. */
export async function rowsOf(
  client: Pick<PgPool, 'query'>,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const results = await client.query({ text, values: [...values], types });
  return [results].flat().at(-1)?.rows as readonly Row[];
}

const heard = new WeakSet<PgPool>();

/** @throws ConfigError */
export function checkPool(owner: string, pool: PgPool): void {
  if (typeof pool?.query !== 'function' || typeof pool.connect !== 'function') {
    throw new ConfigError(`${owner}: pass a Pool of 'pg'.`);
  }
  // Without a listener, an idle connection that the server ends would end the process.
  if (!heard.has(pool)) pool.on?.('error', ignore);
  heard.add(pool);
}

function ignore(): void {}
