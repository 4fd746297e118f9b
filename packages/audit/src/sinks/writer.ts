/** Who caused the record of a line, one agent or for example all strangers together, and the id of the record. */
function parseLine(line: string): { readonly writer: string; readonly id: string } {
  try {
    const { id, type, partitionkey } = JSON.parse(line) as { id?: unknown; type?: unknown; partitionkey?: unknown };
    return { writer: JSON.stringify(partitionkey === undefined ? { type } : { partitionkey }), id: String(id) };
  } catch {
    return { writer: '', id: line };
  }
}

export function writerOf(line: string): string {
  return parseLine(line).writer;
}

export function linesByWriter(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const line of lines) {
    const writer = writerOf(line);
    const group = groups.get(writer);
    if (group === undefined) groups.set(writer, [line]);
    else group.push(line);
  }
  return groups;
}

/** The records of a writer that wait in the second queue, or are on their way to it. */
interface Delayed {
  /** By id: after a crash a record may be in both queues. */
  readonly bytes: Map<string, number>;
  /** Ids of those that failed. */
  readonly failed: Set<string>;
  total: number;
}

/** Which writers' records are delayed, and how many bytes each has waiting. */
export class DelayedRecords {
  readonly #writers = new Map<string, Delayed>();

  add(lines: readonly string[]): void {
    for (const line of lines) {
      const { writer, id } = parseLine(line);
      const delayed = this.#writers.get(writer) ?? { bytes: new Map(), failed: new Set(), total: 0 };
      this.#writers.set(writer, delayed);
      if (delayed.bytes.has(id)) continue;
      const bytes = Buffer.byteLength(line) + 1;
      delayed.bytes.set(id, bytes);
      delayed.total += bytes;
    }
  }

  /** Further records of their writers are delayed, until these are received or quarantined. */
  addFailed(lines: readonly string[]): void {
    this.add(lines);
    for (const line of lines) {
      const { writer, id } = parseLine(line);
      this.#writers.get(writer)?.failed.add(id);
    }
  }

  remove(lines: readonly string[]): void {
    if (this.#writers.size === 0) return;
    for (const line of lines) {
      const { writer, id } = parseLine(line);
      const delayed = this.#writers.get(writer);
      if (delayed === undefined) continue;
      delayed.total -= delayed.bytes.get(id) ?? 0;
      delayed.bytes.delete(id);
      delayed.failed.delete(id);
      if (delayed.bytes.size === 0) this.#writers.delete(writer);
    }
  }

  clear(): void {
    this.#writers.clear();
  }

  /** Bytes that the writer of a line has waiting; undefined if its records are not delayed. */
  bytesBeside(line: string): number | undefined {
    if (this.#writers.size === 0) return undefined;
    const delayed = this.#writers.get(writerOf(line));
    return delayed === undefined || delayed.failed.size === 0 ? undefined : delayed.total;
  }
}
