/** Who caused the record of a line: one agent, or for example all strangers together. */
export function writerOf(line: string): string {
  try {
    const { type, partitionkey } = JSON.parse(line) as { type?: unknown; partitionkey?: unknown };
    return JSON.stringify(partitionkey === undefined ? { type } : { partitionkey });
  } catch {
    return '';
  }
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
