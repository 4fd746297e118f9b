/** Most bytes of verified tokens, and most bytes of verified links, that are kept at once. */
export const maxBytesRemembered: number = 32 * 1024 ** 2;

/** What an entry takes besides its claims: hashes, key, its place in the map. */
const entryBytes = 1024;

/**
 * About how many bytes of memory remembered claims take, rather too many. The text that they came in says little: a
 * list of empty objects takes fifteen times as much.
 */
export function bytesHeld(claims: object): number {
  return entryBytes + sizeOf(claims);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 24 + 2 * value.length;
  if (typeof value !== 'object' || value === null) return 16;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 8 + sizeOf(item), 48);
  return Object.entries(value).reduce((sum, [name, item]) => sum + 48 + 2 * name.length + sizeOf(item), 96);
}
