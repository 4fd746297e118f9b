import { createHash } from 'node:crypto';
import type { Answer } from '../http/answer.js';
import { style } from './style.js';

/** Markup. Made by `html` alone, so that a value is never taken for markup. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | undefined | readonly (Html | string)[];

/** Writes markup with its values escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(parts.reduce((text, part, index) => text + markupOf(values[index - 1]) + part));
}

function markupOf(value: Part): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(markupOf).join('');
  return String(value).replace(/[&<>"']/g, (character) => `&#${String(character.codePointAt(0))};`);
}

const styleHash = createHash('sha256').update(style).digest('base64');

/**
 * A page. It runs no script, nothing may frame it, and its forms go to the authority and, by the redirect that follows, to
 * one other origin: browsers hold a redirect after a form to `form-action`, too.
 */
export function page(status: number, title: string, body: Html, formsLeadTo?: string): Answer {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    `form-action 'self'${formsLeadTo === undefined ? '' : ` ${sourceOf(formsLeadTo)}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'x-frame-options': 'DENY',
      // The Origin of a form needs it. Other sites get no referrer: addresses of these pages say who does what.
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    },
    body: document.text,
  };
}

/** The origin of an address. A policy cannot name an IPv6 address, so its scheme must do. */
function sourceOf(address: string): string {
  const { origin, protocol, hostname } = new URL(address);
  return hostname.startsWith('[') ? protocol : origin;
}

/** A page that says why nothing can be done, to somebody who can read. */
export function messagePage(status: number, title: string, detail: string): Answer {
  return page(
    status,
    title,
    html`<h1>${title}</h1>
<p>${detail}</p>`,
  );
}

/** A request for a page that is answered with a message. */
export class PageProblem extends Error {
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail: string) {
    super(detail);
    this.status = status;
    this.title = title;
  }
}

/** `303`, so that the browser sends no form again. */
export function redirect(location: string): Answer {
  return { status: 303, headers: { location, 'referrer-policy': 'same-origin' } };
}
