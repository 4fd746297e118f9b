import { printable } from '../text.js';

/** Markup. Only `html` makes it, so no text can become markup by accident. */
export class Html {
  readonly markup: string;

  private constructor(markup: string) {
    this.markup = markup;
  }

  static of(strings: TemplateStringsArray, values: readonly Part[]): Html {
    return new Html(strings.map((string, at) => string + (at < values.length ? render(values[at]) : '')).join(''));
  }
}

type Part = string | number | undefined | Html | readonly Html[];

/**
 * A piece of HTML or SVG. Interpolated text is escaped for element content and quoted attributes, because the text of a
 * record comes from the sender of the request. Attributes must be in double quotes.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return Html.of(strings, values);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function render(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.markup;
  if (typeof part === 'object') return part.map(({ markup }) => markup).join('');
  return printable(String(part)).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

/**
 * Data for a script element of type `application/json`. Nothing in it can end the element, begin another or begin a
 * comment, because nothing in it is a bracket.
 */
export function jsonForScript(value: unknown): string {
  const json = JSON.stringify(value, (_name, inner: unknown) => (typeof inner === 'string' ? printable(inner) : inner));
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
