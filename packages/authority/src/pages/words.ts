import type { AuthorizationDetail } from '@countersign/delegation';
import { type Html, html } from './html.js';
import type { User } from './sign-in.js';

const units = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const;

/** `900` is "15 minutes". In the largest unit that is exact, so that nobody agrees to more than they read. */
export function duration(seconds: number): string {
  const [size, name] = units.find(([unit]) => seconds % unit === 0) ?? [1, 'second'];
  const count = seconds / size;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** How long something still lasts, about. */
export function remaining(seconds: number): string {
  if (seconds < 60) return 'less than a minute';
  const [size] = units.find(([unit]) => seconds >= 2 * unit) ?? [60];
  return duration(Math.round(seconds / size) * size);
}

/** One limit of RFC 9396, complete: what a page leaves out, nobody agrees to. */
export function limitText(detail: AuthorizationDetail): Html {
  const lists = [
    ['only', detail.actions],
    ['at', detail.locations],
    ['data', detail.datatypes],
    ['privileges', detail.privileges],
  ] as const;
  const parts = lists.flatMap(([word, values]) => (values === undefined ? [] : [html`, ${word} ${separated(values)}`]));
  const which =
    detail.identifier === undefined ? html`every ${codeOf(detail.type)}` : oneOf(detail.type, detail.identifier);
  return html`${which}${parts}`;
}

function oneOf(type: string, identifier: string): Html {
  return html`the ${codeOf(type)} ${codeOf(identifier)}`;
}

function separated(values: readonly string[]): readonly Html[] {
  return values.map((value, index) => (index === 0 ? codeOf(value) : html`, ${codeOf(value)}`));
}

/** A name that somebody else chose. `bdi` keeps its direction from turning the words around it. */
export function codeOf(text: string): Html {
  return html`<code><bdi>${text}</bdi></code>`;
}

/** Who a page takes the user for, and the way out, if the authority has one. */
export function signedInAs({ name }: User, signOut: Html | undefined): Html {
  return html`<div class="who">
<p class="quiet">You are signed in as <bdi>${name}</bdi>.</p>
${signOut}
</div>`;
}

/** A moment, and how far away it is. In UTC, since the page does not know where its reader is. */
export function moment(seconds: number, now: number): Html {
  const iso = new Date(seconds * 1000).toISOString();
  const away = seconds > now ? `in ${remaining(seconds - now)}` : `${remaining(now - seconds)} ago`;
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time> (${away})`;
}
