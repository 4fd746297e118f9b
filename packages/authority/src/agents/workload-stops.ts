import { required, sql, type Statement, type Store, textOf } from '../storage/store.js';

/**
 * What keeps workloads out that have not come yet, by a pattern of SPIFFE IDs or by a tag of their rule, as they were
 * named: `spiffe://example.org/ci/*`, or `tag ci`. A workload that is known has a status of its own, which counts alone.
 */
export async function listStops(store: Store): Promise<readonly string[]> {
  const rows = await store.run(sql`SELECT name FROM countersign_workload_stops WHERE name <> 'lock' ORDER BY name`);
  return rows.map((row) => textOf(row, 'name'));
}

/** With a space, so that it is no pattern. */
export function stopOfTag(tag: string): string {
  return `tag ${tag}`;
}

/**
 * Sets a stop, or takes it away. First in its transaction: it waits for workloads that are coming, and the others wait
 * for it, so that each is either stopped or among those that are known.
 */
export function changeStop(name: string, isStopped: boolean, now: number): readonly Statement[] {
  return [
    // Changed, and not only locked, for databases where a transaction sees what there was when it began.
    sql`UPDATE countersign_workload_stops SET created_at = ${now} WHERE name = 'lock'`,
    isStopped
      ? sql`
          INSERT INTO countersign_workload_stops (name, created_at) VALUES (${name}, ${now})
          ON CONFLICT (name) DO NOTHING`
      : sql`DELETE FROM countersign_workload_stops WHERE name = ${name}`,
  ];
}

/** Requires that nothing stops a new workload with these tags, until the end of the transaction. First in it. */
export function notStopped(id: string, tags: readonly string[]): readonly Statement[] {
  return noneOf([...patternsOf(id), ...tags.map(stopOfTag)]);
}

/** The same for tags that a known workload gets. */
export function tagsNotStopped(tags: readonly string[]): readonly Statement[] {
  return tags.length === 0 ? [] : noneOf(tags.map(stopOfTag));
}

/** Keeps the stops as they are until the end of the transaction. First in it. */
export function lockStops(): Statement {
  return required(sql`SELECT name FROM countersign_workload_stops WHERE name = 'lock' FOR SHARE`);
}

function noneOf(names: readonly string[]): readonly Statement[] {
  const places = names.map((_name, index) => `$${index + 1}`).join(', ');
  return [
    lockStops(),
    required({
      text: `SELECT 1 AS free WHERE NOT EXISTS (SELECT 1 FROM countersign_workload_stops WHERE name IN (${places}))`,
      values: names,
    }),
  ];
}

/** Every pattern that an ID matches: `spiffe://example.org/*` and `spiffe://example.org/ci/*` of what is below `/ci`. */
function patternsOf(id: string): readonly string[] {
  const segments = id.split('/');
  return segments.slice(3).map((_segment, index) => `${segments.slice(0, 3 + index).join('/')}/*`);
}
