/** The number of lines a diff adds and removes, imports included. */
export function changedLines(diff: string): number {
  return diff.split('\n').filter((line) => /^[+-]/.test(line)).length;
}

/**
 * Applies a unified diff without file names, strictly: each hunk must match at the line of its header.
 *
 * @throws Error that names the line that does not match.
 */
export function applied(diff: string, text: string): string {
  const before = text.split('\n');
  const after: string[] = [];
  let next = 0;
  for (const line of diff.trimEnd().split('\n')) {
    const [sign, content] = [line.slice(0, 1), line.slice(1)];
    const start = /^@@ -(\d+)/.exec(line)?.[1];
    if (start !== undefined) {
      after.push(...before.slice(next, Number(start) - 1));
      next = Number(start) - 1;
    } else if (sign === '+') {
      after.push(content);
    } else {
      if (before[next] !== content) throw new Error(`the diff says '${content}', the file '${String(before[next])}'`);
      next += 1;
      if (sign !== '-') after.push(content);
    }
  }
  return [...after, ...before.slice(next)].join('\n');
}
