import {
  type ApprovalDisclosure,
  type ApprovalHop,
  type ApprovalRequest,
  type FormPair,
  readBody,
  readQuery,
  type ReadableBody,
  type ReadableForm,
} from '@countersign/approval';
import { escapeOf, escapeUnprintable, isJsonObject, type JsonObject, parseStrictJson } from '@countersign/common';
import { type Html, html } from './html.js';
import { membersOfSource, unquoted, valueOfSource } from './json-source.js';
import { codeOf } from './words.js';

/** Longer values are folded: they must not push others out of sight. */
const longestOpen = 300;
const mostLinesOpen = 12;
const longestStart = 80;
const mostLookalikes = 100;

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

/**
 * The query, and the body and the arguments as far as the agent shows them: their digests were compared when it asked.
 */
export function contentOf(request: ApprovalRequest, shown?: ApprovalDisclosure, isKept?: boolean): Html {
  const query = readQuery(request);
  return html`${query.format === 'none' ? undefined : formOf('query', query)}${sentOf(request, shown, isKept)}`;
}

function sentOf(request: ApprovalRequest, shown: ApprovalDisclosure = {}, isKept = true): Html {
  const body = readBody(request, shown);
  const hasArguments = request.call?.argumentsDigest !== undefined;
  if (body.format === 'none' && !hasArguments) return html`<p class="quiet">The request has no body.</p>`;
  const isShown = (body.format !== 'hidden' && body.format !== 'none') || shown.arguments !== undefined;
  if (!isKept && !isShown) return html`<p class="quiet">Nobody decided about the content, so it is not kept.</p>`;
  return html`${hasArguments ? argumentsOf(shown.arguments) : undefined}${bodyOf(body)}`;
}

function argumentsOf(given: JsonObject | undefined): Html {
  if (given === undefined) return notShown;
  return html`<h3>Arguments</h3>${lookalikesIn(given)}${membersOf(JSON.stringify(given))}`;
}

const notShown = html`<p class="alarm">The agent does not show the content. You would approve something of which you see only a digest.</p>`;

function bodyOf(body: ReadableBody): Html | undefined {
  switch (body.format) {
    case 'none':
      return undefined;
    case 'hidden':
      return notShown;
    case 'bytes':
      return html`<h3>Body, in base64</h3><p class="alarm">The body is not text. You would approve bytes that nobody can read here.</p><div class="sent">${valueOf(body.base64)}</div>`;
    case 'json':
      return html`<h3>Body</h3>${jsonOf(body.text)}`;
    default:
      return formOf('body', body);
  }
}

const titles = { body: 'Body', query: 'Query' };

function formOf(part: 'body' | 'query', form: ReadableForm): Html {
  const title = titles[part];
  if (form.format === 'form') {
    return html`<h3>${part === 'body' ? 'Body, a form' : title}</h3>${pairsOf(form.pairs)}`;
  }
  return html`<h3>${title}</h3><p class="alarm">It is not known how the API reads this ${part}: ${form.problem}. It may read something other than what you see.</p>${form.pairs === undefined ? undefined : html`<h3>${title}, if it is read as a form</h3>${pairsOf(form.pairs)}<h3>${title}, as it is sent</h3>`}<div class="sent">${valueOf(form.text)}</div>`;
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

function jsonOf(text: string): Html {
  const read = parseStrictJson(text);
  if (!read.ok) return valueOf(valueOfSource(text));
  const content = isJsonObject(read.value) ? membersOf(text) : valueOf(valueOfSource(text));
  return html`${lookalikesIn(read.value)}${content}`;
}

/** A Cyrillic letter in `dry_run`, or a space behind it: people would read a member that the API does not know, and ignores. */
function lookalikesIn(value: unknown): Html | undefined {
  const names = new Set<string>();
  JSON.stringify(value, (name, member: unknown) => {
    if (!isPlain(spelledOut(name))) names.add(name);
    return member;
  });
  if (names.size === 0) return undefined;
  const spelled = [...names].slice(0, mostLookalikes).map((name) => {
    const ascii = name.replaceAll(unplain, escapeOf);
    return html`<li>${valueOf(ascii)}</li>
`;
  });
  const more = names.size > mostLookalikes ? html`<li>and ${names.size - mostLookalikes} more</li>` : undefined;
  return html`<p class="alarm">Names have letters or spaces that can look like others, or like nothing. The API may ignore what you see.</p><ul>${spelled}${more}</ul>`;
}

/** Other letters, and spaces that one does not see: at an end, or beside another. */
const unplain = /[^\x20-\x7e]|^ | (?= |$)/gu;

function isPlain(text: string): boolean {
  return text.search(unplain) === -1;
}

function pairsOf(pairs: readonly FormPair[]): Html {
  const rows = pairs.map(([name, value]) => memberRow(name, textOf(value)));
  return rows.length === 0 ? none : html`<dl>${rows}</dl>`;
}

function textOf(text: string): Html {
  return text === '' ? html`<span class="quiet">Empty.</span>` : valueOf(text);
}

const none = html`<p class="quiet">None.</p>`;

/** Every member by its name, whatever its value is. */
function membersOf(object: string): Html {
  const rows = membersOfSource(object).map(([name, value]) =>
    memberRow(name, valueOf(value.startsWith('"') ? textOrQuoted(value) : value)),
  );
  return rows.length === 0 ? none : html`<dl>${rows}</dl>`;
}

/** In a font in which `l` and `I` differ. */
function memberRow(name: string, value: Html): Html {
  return html`<dt>${valueOf(name)}</dt><dd>${value}</dd>
`;
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

// Without the variation selector of an emoji, which stands behind one.
const ignorable = /(?<!\p{Extended_Pictographic})\ufe0f|(?!\ufe0f)[\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** Text of somebody else, with what is invisible in it spelt out. */
function spelledOut(text: string): string {
  return escapeUnprintable(text).replace(ignorable, escapeOf);
}

/** A value of somebody else. */
export function valueOf(text: string): Html {
  const lines = text.split(/\r?\n/).map(spelledOut);
  const visible = lines.join('\n');
  const isLong = visible.length > longestOpen || lines.length > mostLinesOpen;
  if (!isLong) return visible.includes('\n') ? html`<pre><bdi>${visible}</bdi></pre>` : codeOf(visible);
  const start = visible.slice(0, longestStart).replaceAll('\n', ' ');
  return html`<details><summary>${codeOf(`${start}…`)} <span class="quiet">${visible.length} characters</span></summary>
<pre><bdi>${visible}</bdi></pre></details>`;
}
