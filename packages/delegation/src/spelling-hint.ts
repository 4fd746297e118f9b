/**
 * A hint for an unknown name: the most similar name or, if none is similar, the list of names.
 *
 * @example
 * spellingHint('maxHop', ['scope', 'maxHops'], 'options'); // "Did you mean 'maxHops'?"
 */
export function spellingHint(name: string, known: readonly string[], plural: string): string {
  const near = nearest(name, known);
  if (near !== undefined) return `Did you mean '${near}'?`;
  const more = known.length > LISTED ? `, and ${known.length - LISTED} more` : '';
  return `Known ${plural}: ${known.slice(0, LISTED).join(', ')}${more}.`;
}

/** A message for a restrictive option that is undefined: its constant is probably misspelt. */
export function undefinedHint(name: string): string {
  return `'${name}' is undefined. Leave the member out, or give it a value: is the name of its constant right?`;
}

/** A longer list would not be read. */
const LISTED = 40;

function nearest(name: string, known: readonly string[]): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance <= Math.max(2, candidate.length / 3) && (best === undefined || distance < best.distance)) {
      best = { name: candidate, distance };
    }
  }
  return best?.name;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current[column] = Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
