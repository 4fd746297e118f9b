/**
 * The values that were too long for one cookie and so were put in several, together again: `name.0`, `name.1`, or
 * `name`, `name-1`. Values that are whole are left out.
 */
export function chunkedCookies(fields: readonly string[]): string[] {
  const chunks = new Map<string, { readonly number: number; readonly value: string }[]>();
  for (const cookie of fields.join(';').split(';')) {
    const at = cookie.indexOf('=');
    const [, name = '', number = ''] = /^(.*?)[._-]?(\d{0,3})$/.exec(cookie.slice(0, Math.max(at, 0)).trim()) ?? [];
    const chunk = { number: number === '' ? -1 : Number(number), value: cookie.slice(at + 1).replace(/[\s"]/g, '') };
    const others = chunks.get(name);
    if (others === undefined) chunks.set(name, [chunk]);
    else others.push(chunk);
  }
  return [...chunks.values()].filter(({ length }) => length > 1).map(joined);
}

function joined(chunks: readonly { readonly number: number; readonly value: string }[]): string {
  return chunks
    .toSorted((one, other) => one.number - other.number)
    .map(({ value }) => value)
    .join('');
}
