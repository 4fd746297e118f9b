import { mostClockDifferenceSeconds } from '../storage/clock.js';
import { numberOf, sql, type Store } from '../storage/store.js';

/** Places from the first to the last, both included. */
type Range = readonly [first: number, last: number];

/** No transaction takes so long, also if the clocks of two processes differ. */
const settledSeconds = 2 * mostClockDifferenceSeconds;
/** Rows that one statement reads: while SQLite reads, nothing else runs. */
const atOnce = 5000;

/** The places in the status lists that were given out and have no row any more. */
export async function missingPlaces(store: Store, now: number): Promise<readonly Range[]> {
  // A place below newer rows may belong to a transaction that is not over yet, so these rows must be old enough.
  const [settled] = await store.run(sql`
    SELECT COALESCE(
      (SELECT idx FROM countersign_delegations WHERE created_at <= ${now - settledSeconds} ORDER BY idx DESC LIMIT 1),
      (SELECT MIN(idx) FROM countersign_delegations), 0) AS idx`);
  const end = settled === undefined ? 0 : numberOf(settled, 'idx');
  const ranges: Range[] = [];
  for (let from = 0; from < end; ) {
    const [piece] = await store.run(sql`
      SELECT COUNT(*) AS places, COALESCE(MAX(idx), ${end}) AS last FROM (
        SELECT idx FROM countersign_delegations WHERE idx > ${from} AND idx <= ${end} ORDER BY idx LIMIT ${atOnce}) AS piece`);
    if (piece === undefined) break;
    const last = numberOf(piece, 'last');
    // To count costs a fraction of looking for gaps, and most pieces have none.
    if (numberOf(piece, 'places') < last - from) ranges.push(...(await gapsBetween(from, last, store)));
    from = last;
  }
  return ranges;
}

async function gapsBetween(from: number, last: number, store: Store): Promise<readonly Range[]> {
  const rows = await store.run(sql`
    SELECT prior, idx FROM (
      SELECT idx, LAG(idx, 1, ${from}) OVER (ORDER BY idx) AS prior
      FROM countersign_delegations WHERE idx > ${from} AND idx <= ${last}) AS places
    WHERE idx > prior + 1`);
  return rows.map((row) => [numberOf(row, 'prior') + 1, numberOf(row, 'idx') - 1]);
}
