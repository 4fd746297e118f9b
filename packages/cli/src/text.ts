/**
 * Untrusted text, safe to print: control, format and line-separator characters are escaped, so that a token or a
 * header cannot move the cursor, hide text or forge a line.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escapeOf);
}

function escapeOf(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/**
 * Text of one cell of a table, where only two spaces end a cell: so a name does not look like further cells, or its
 * wrapped rest like a row.
 */
export function withSingleSpaces(cell: string): string {
  return cell.replace(/(?<=\p{Zs})\p{Zs}/gu, escapeOf);
}

/** A JSON value as one printable line. A plain string is shown without quotes. */
export function show(value: unknown): string {
  return printable(typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)));
}

/** JSON for people and programs: characters that JSON allows and a terminal interprets are escaped. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[\p{Cf}\p{Zl}\p{Zp}\x7f-\x9f]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** A time with its distance from now: `2026-11-24T15:00:00Z (2 minutes ago)`. */
export function moment(seconds: unknown, nowSeconds: number): string {
  const date = typeof seconds === 'number' ? new Date(seconds * 1000) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) return `${show(seconds)} (not a time in seconds)`;
  return `${date.toISOString().replace('.000Z', 'Z')} (${relative(Number(seconds) - nowSeconds)})`;
}

function relative(distance: number): string {
  if (Math.abs(distance) < 1) return 'now';
  return distance < 0 ? `${duration(-distance)} ago` : `in ${duration(distance)}`;
}

/** A number of seconds in words, in the largest unit that fits. */
export function duration(seconds: number): string {
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const;
  const [name, size] = units.find(([, length]) => seconds >= 2 * length) ?? (['second', 1] as const);
  const count = Math.round(seconds / size);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
