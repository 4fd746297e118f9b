import type { ApprovalDisclosure, ApprovalHop, ApprovalRequest } from '@countersign/approval';
import { escapeUnprintable, isJsonObject, parseStrictJson } from '@countersign/common';
import { type Html, html } from './html.js';
import { membersOfSource, unquoted } from './json-source.js';
import { codeOf } from './words.js';

/** Longer values are folded: they must not push others out of sight. */
const longestOpen = 300;
const longestStart = 80;

/** What exactly runs if people approve: each part of the request that the approval is bound to. */
export function requestRows(request: ApprovalRequest): readonly Html[] {
  const { http, call, resource, audience } = request;
  return [
    row('Action', codeOf(request.action)),
    row('On', html`${codeOf(resource.type)} ${valueOf(resource.id)}`),
    row('At', codeOf(audience)),
    ...(http === undefined
      ? []
      : [
          row('Request', valueOf(`${http.method} ${http.authority}${http.path}${http.query ?? ''}`)),
          ...Object.entries(http.fields ?? {}).map(([name, value]) => row(name, valueOf(value))),
          ...(http.contentDigest === undefined ? [] : [row('Digest of the body', valueOf(http.contentDigest))]),
        ]),
    ...(call === undefined
      ? []
      : [
          row('Call', codeOf(call.method)),
          ...(call.name === undefined ? [] : [row('Name', valueOf(call.name))]),
          ...(call.argumentsDigest === undefined
            ? []
            : [row('Digest of the arguments', valueOf(call.argumentsDigest))]),
        ]),
  ];
}

/** The body or the arguments, as far as the agent shows them: their digests were compared when it asked. */
export function contentOf(
  { http, call }: ApprovalRequest,
  { text, base64, arguments: given }: ApprovalDisclosure = {},
  isKept = true,
): Html {
  const hasContent = http?.contentDigest !== undefined || call?.argumentsDigest !== undefined;
  const parts = [
    ...(given === undefined ? [] : [html`<h3>Arguments</h3>${membersOf(JSON.stringify(given))}`]),
    ...(text === undefined ? [] : [html`<h3>Body</h3>${bodyOf(text)}`]),
    ...(base64 === undefined ? [] : [html`<h3>Body, in base64</h3>${valueOf(base64)}`]),
  ];
  if (parts.length > 0) return html`${parts}`;
  if (!hasContent) return html`<p class="quiet">The request has no body.</p>`;
  if (!isKept) return html`<p class="quiet">Nobody decided about the content, so it is not kept.</p>`;
  return html`<p class="alarm">The agent does not show the content. You would approve something of which you see only a digest.</p>`;
}

/** From the person to the agent that asks. */
export function chainOf(chain: readonly ApprovalHop[]): Html {
  const proofs = { issuer: 'named by a token', signature: 'proved by a signature', local: 'on the same machine' };
  return html`<ol class="chain">${chain.map(
    ({ id, type, issuer, proof }) =>
      html`<li>${type === 'agent' ? 'agent' : 'user'} ${codeOf(id)} <span class="quiet">${proofs[proof]}${issuer === undefined ? undefined : html`, by ${codeOf(issuer)}`}</span></li>
`,
  )}</ol>`;
}

function bodyOf(text: string): Html {
  const read = parseStrictJson(Buffer.from(text));
  return read.ok && isJsonObject(read.value) ? membersOf(text) : valueOf(text);
}

/** Every member by its name, whatever its value is. */
function membersOf(object: string): Html {
  const rows = membersOfSource(object).map(([name, value]) =>
    row(escapeUnprintable(name), valueOf(value.startsWith('"') ? textOrQuoted(value) : value)),
  );
  return rows.length === 0 ? html`<p class="quiet">None.</p>` : html`<dl>${rows}</dl>`;
}

/** A string, with its quotation marks if it is empty or would look like another value without them: "5" is not 5. */
function textOrQuoted(string: string): string {
  const text = unquoted(string);
  return text === '' || parseStrictJson(text).ok ? string : text;
}

export function row(name: string, value: Html): Html {
  return html`<dt><bdi>${name}</bdi></dt><dd>${value}</dd>
`;
}

/** A value of somebody else. What is invisible in it is spelt out. */
export function valueOf(text: string): Html {
  const visible = text
    .split(/(\r?\n)/)
    .map((part) => (/^\r?\n$/.test(part) ? '\n' : escapeUnprintable(part)))
    .join('');
  const isLong = visible.length > longestOpen;
  if (!isLong) return visible.includes('\n') ? html`<pre><bdi>${visible}</bdi></pre>` : codeOf(visible);
  const start = visible.slice(0, longestStart).replaceAll('\n', ' ');
  return html`<details><summary>${codeOf(`${start}…`)} <span class="quiet">${visible.length} characters</span></summary>
<pre><bdi>${visible}</bdi></pre></details>`;
}
