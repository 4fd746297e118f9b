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
  const inTime = `${clock} < $${values.length + 1}::bigint`;
  return await changeInTime(now, async (deadline) => await rowsOf(pool, text(inTime), [...values, deadline]), isAnswer);
}

/** An error of the server, not of the connection. */
function isAnswer(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'severity' in error;
}
