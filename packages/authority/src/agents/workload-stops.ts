import { matchesSpiffeId } from '@countersign/spiffe';
import { sql, type Statement, type Store, textOf } from '../storage/store.js';

/**
 * What keeps workloads out that have not come yet, by a pattern of SPIFFE IDs or by a tag of their rule. A workload that
 * is known has a status of its own, which counts alone.
 */
export interface WorkloadStops {
  /** As they were named: `spiffe://example.org/ci/*`, or `tag ci`. */
  list(): Promise<readonly string[]>;
  /** Whether a workload with these tags is kept out. */
  covers(id: string, tags: readonly string[]): Promise<boolean>;
}

export function createWorkloadStops(store: Store): WorkloadStops {
  async function list(): Promise<readonly string[]> {
    const rows = await store.run(sql`SELECT name FROM countersign_workload_stops ORDER BY name`);
    return rows.map((row) => textOf(row, 'name'));
  }

  return {
    list,
    async covers(id, tags) {
      const names = tags.map(stopOfTag);
      return (await list()).some((stop) => names.includes(stop) || matchesSpiffeId(stop, id));
    },
  };
}

/** With a space, so that it is no pattern. */
export function stopOfTag(tag: string): string {
  return `tag ${tag}`;
}

/** Sets a stop, or takes it away. */
export function changeStop(name: string, isStopped: boolean, now: number): Statement {
  return isStopped
    ? sql`INSERT INTO countersign_workload_stops (name, created_at) VALUES (${name}, ${now}) ON CONFLICT (name) DO NOTHING`
    : sql`DELETE FROM countersign_workload_stops WHERE name = ${name}`;
}
