/** UUIDs, and thumbprints of keys: 43 characters of base64url between others. */
const long = /(?<![\w-])(?:[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}|[\w-]{43})(?![\w-])/gi;
/** Most that are remembered; from then on names are whole. */
const mostShort = 10_000;

/**
 * Shortens UUIDs and thumbprints for people, where a row would not fit otherwise. A short form stands for one name only:
 * of two names with the same short form, the later is whole, and an ellipsis in a name is escaped.
 */
export class ShortNames {
  readonly #wholes = new Map<string, string>();

  shorten(text: string): string {
    return text.replaceAll('…', String.raw`\u{2026}`).replace(long, (whole) => {
      const short = `${whole.slice(0, 8)}…${whole.slice(-4)}`;
      const known = this.#wholes.get(short);
      if (known === undefined && this.#wholes.size < mostShort) this.#wholes.set(short, whole);
      return this.#wholes.get(short) === whole ? short : whole;
    });
  }

  /** Whether a name was shortened. */
  get any(): boolean {
    return this.#wholes.size > 0;
  }
}
