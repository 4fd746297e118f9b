import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { counted } from '../commands/audit/verdict.js';
import type { VerifiedLogs } from '../commands/audit/verify-logs.js';
import { chainSection } from './chain-graph.js';
import type { Entry } from './entries.js';
import { type Html, html, jsonForScript } from './html.js';
import type { Summary } from './summary.js';
import { timeline } from './timeline.js';
import { sealedPart, verification } from './verification.js';

export interface PageContent {
  /** The name of the log, or of its folder. */
  readonly log: string;
  /** RFC 3339. */
  readonly made: string;
  /** Undefined: the logs were not verified. */
  readonly verified: VerifiedLogs | undefined;
  /** The filters in words; empty: all records. */
  readonly chosen: readonly string[];
  readonly summary: Summary;
  /** Number of lines that are not records. */
  readonly unreadable: number;
  /** The latest first; there may be fewer than the summary counts. */
  readonly entries: readonly Entry[];
  /** The number of records behind the entries. */
  readonly listedRecords: number;
}

/**
 * The whole page. Its content security policy allows only its one script and one style, by their hashes: the page
 * sends no request, and injected markup would not run.
 */
export function page(content: PageContent): string {
  const script = asset('client.js');
  const style = asset('page.css');
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${sha256(script)}'`,
    `style-src 'sha256-${sha256(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const body = html`<header><h1>Audit report</h1><p class="about"><b>${content.log}</b> · made <time>${content.made}</time></p>
${content.chosen.length === 0 ? html`` : html`<p class="chosen">Only records with ${content.chosen.join(', ')}, and how the requests that were allowed so ended.</p>`}</header>
<main>${verification(content.verified)}${numbers(content)}
<section aria-labelledby="h-time"><h2 id="h-time">Timeline</h2>${timeline(content.summary.bins)}</section>
<section aria-labelledby="h-chains"><h2 id="h-chains">Chains</h2>${chainSection(content.summary.paths)}</section>
${actions(content)}</main>`;
  // Not escaped: the script and the style are ours, and their hashes are over these bytes.
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer"><title>Audit report</title>
<style>${style}</style></head>
<body>${body.markup}
<script type="application/json" id="data">${jsonForScript(content.entries)}</script>
<script type="module">${script}</script></body></html>
`;
}

/** The note about unsealed records, which are marked in the numbers and the list. */
function notVerified({ verified, summary: { records, unverified } }: PageContent): Html {
  if (verified === undefined || unverified === 0) return html``;
  const sealed = sealedPart(verified);
  const which = unverified === 1 ? 'is not verified and is marked' : 'are not verified and are marked';
  const those = records === 1 ? 'The one record counted here' : `Of the ${records} records counted here, ${unverified}`;
  return html`<p class="caution">${sealed}. ${those} ${which} “not verified”.</p>`;
}

function numbers(content: PageContent): Html {
  const { summary, unreadable } = content;
  const { records, allowed, approved, denied, refused, observed, unfinished, undecided, open, first, last } = summary;
  const tiles = [
    ['✓', 'allowed', allowed, 'allowed'],
    ['✓✓', 'allowed with a person’s approval', approved, 'approved'],
    ['✗', 'denied', denied, 'denied'],
    ['⊘', 'refused before the caller was known', refused, 'refused'],
    ['⚠', 'would be refused: the guard only observes', observed, 'observed'],
    ['!', 'let in but not finished', unfinished, 'unfinished'],
    ['⚠', 'let in without a decision: no permit was reached', undecided, 'undecided'],
    ['?', 'allowed without an outcome: a crash, or still running', open.count, 'open'],
  ] as const;
  const shown = tiles.filter(([, , count, kind]) => count > 0 || !['approved', 'observed', 'undecided'].includes(kind));
  const span = first === undefined ? html`` : html`, from <time>${first}</time> to <time>${last}</time>`;
  return html`<section aria-labelledby="h-sum"><h2 id="h-sum">Summary</h2>${notVerified(content)}<ul class="tiles">
${shown.map(([sign, name, count, kind]) => html`<li class="${kind}"><b>${count}</b> <span><span aria-hidden="true">${sign} </span>${name}</span></li>`)}
</ul><p>${counted(records, 'record')} of requests${span}. The log’s own records are not among them.</p>
${unreadable === 0 ? html`` : html`<p class="caution">Lines of the log that are no records, and are left out: ${unreadable}.</p>`}</section>`;
}

function listedPart(listed: number, missing: number): string {
  const latest = listed === 1 ? 'Listed is the latest record' : `Listed are the latest ${listed} records`;
  const before = missing === 1 ? 'The one before is' : `The ${missing} before ${listed === 1 ? 'it' : 'them'} are`;
  return `${latest}. ${before} only counted above.`;
}

const verdicts = ['allowed', 'approved', 'denied', 'refused', 'observed', 'undecided', 'ended'] as const;
const verdictNames: ReadonlyMap<string, string> = new Map([
  ['ended', 'ended (no decision is listed)'],
  ['observed', 'would be refused'],
]);

function actions({ entries, summary, listedRecords }: PageContent): Html {
  const missing = summary.records - listedRecords;
  return html`<section aria-labelledby="h-list"><h2 id="h-list">Requests</h2>
${missing <= 0 ? html`` : html`<p class="caution">${listedPart(listedRecords, missing)}</p>`}
<noscript><p class="caution">The list of requests (${entries.length}) and its filters need JavaScript, which is in this page. Everything above does not.</p></noscript>
<form id="filters" hidden><div class="verdicts" role="group" aria-label="What was decided">
${verdicts
  .filter(
    (verdict) => verdict === 'allowed' || verdict === 'denied' || entries.some((entry) => entry.verdict === verdict),
  )
  .map(
    (verdict) =>
      html`<label><input type="checkbox" name="verdict" value="${verdict}" checked> ${verdictNames.get(verdict) ?? verdict}</label>`,
  )}<label><input type="checkbox" id="f-open"> only without an outcome</label>${summary.unverified === 0 ? html`` : html`<label><input type="checkbox" id="f-unverified"> only not verified</label>`}</div>
<label>Search <input type="search" id="f-text" autocomplete="off"></label>
<label>Actor <select id="f-actor"></select></label><label>Subject <select id="f-subject"></select></label>
<label>Action <select id="f-action"></select></label><label>Resource <select id="f-resource"></select></label>
<label>From (UTC) <input type="datetime-local" step="1" id="f-from"></label><label>Until (UTC) <input type="datetime-local" step="1" id="f-until"></label>
<button type="reset">Clear</button></form>
<p id="count" role="status"></p>
<table id="list" hidden><caption class="unseen">Requests, the latest first</caption><thead><tr><th scope="col">record</th><th scope="col">time</th><th scope="col">decision</th><th scope="col">who</th><th scope="col">what</th><th scope="col">end</th></tr></thead><tbody></tbody></table>
<p><button type="button" id="more" hidden>Show more</button></p></section>`;
}

/** Read from the published sources, because these files are not compiled. */
function asset(name: string): string {
  return readFileSync(new URL(`../../src/report/${name}`, import.meta.url), 'utf8');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
