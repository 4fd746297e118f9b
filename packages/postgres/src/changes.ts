import { changeInTime } from '@countersign/stores';
import { type PgPool, type Row, rowsOf } from './pool.js';

const clock = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/**
 * Runs a statement whose change a later one may undo. `text` gets the condition under which it still makes the change, by
 * the clock of the server.
 */
export async function changedRows(
  pool: PgPool,
  text: (inTime: string) => string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const now = async () => Number((await rowsOf(pool, `SELECT ${clock} AS now`))[0]?.['now']);
  return await changeInTime(
    now,
    async (deadline) => await rowsOf(pool, text(`${clock} < ${deadline}`), values),
    isAnswer,
  );
}

/**
 * The same after a statement that locks. A statement sees no row that was inserted while it waited for a lock; the next
 * one does, unless the application chose a stricter isolation. Both are one message, and so one transaction: a connection
 * that falls silent keeps no lock.
 */
export async function changedRowsAfter(
  pool: PgPool,
  lock: string,
  text: (inTime: string) => string,
  values: readonly SqlText[],
): Promise<readonly Row[]> {
  return await changedRows(
    pool,
    (inTime) => `SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\n${lock};\n${withLiterals(text(inTime), values)}`,
  );
}

export type SqlText = string | readonly string[];

/** Only a message of one statement has parameters. */
function withLiterals(text: string, values: readonly SqlText[]): string {
  return text.replaceAll(/\$(\d)/g, (_, position: string) => {
    const value = values[Number(position) - 1] ?? '';
    return typeof value === 'string' ? literal(value) : `ARRAY[${value.map(literal).join(', ')}]`;
  });
}

/** Hexadecimal cannot end a literal, whatever the encodings and settings of the connection are. */
function literal(value: string): string {
  return `convert_from(decode('${Buffer.from(value).toString('hex')}', 'hex'), 'UTF8')`;
}

/** Whether the statement has ended. If a connection ends (08, 57P; XX of some poolers), a pooler may still deliver it. */
function isAnswer(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('severity' in error)) return false;
  return 'code' in error && !/^(?:08|57P|XX)/.test(String(error.code));
}
