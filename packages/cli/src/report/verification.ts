import type { LogReport } from '@countersign/audit-verifier';
import { isTrusted, placeOf, sealOf, verdictOn } from '../commands/audit/verdict.js';
import { areTrusted, type VerifiedLog, type VerifiedLogs } from '../commands/audit/verify-logs.js';
import { type Html, html } from './html.js';

/** What was found out about the logs. */
export function verification(verified: VerifiedLogs | undefined): Html {
  if (verified === undefined) {
    return html`<section class="banner unknown" aria-label="Verification"><h2>? Not verified</h2>
<p>Nobody has checked that these records are those that were written: make the report with --key.</p></section>`;
  }
  const trusted = areTrusted(verified);
  const { logs, problems } = verified;
  return html`<section class="banner ${trusted ? 'good' : 'bad'}" aria-label="Verification"><h2>${trusted ? '✓ Verified' : '✗ Verification failed'}</h2>
${problems.map((problem) => html`<p>${problem}</p>`)}${logs.map((log) => verdictSection(log, logs.length > 1))}</section>`;
}

function verdictSection(log: VerifiedLog, isNamed: boolean): Html {
  const name = isNamed ? html`<h3>${log.name}</h3>` : html``;
  if ('problem' in log) return html`${name}<p>✗ ${log.problem}</p>`;
  const { findings, findingCount, remarks } = log.report;
  const sign = isNamed ? (isTrusted(log.report) ? '✓ ' : '✗ ') : '';
  return html`${name}<p>${sign}${verdictOn(log.report)} ${sealOf(log.report)}</p>
${findings.length === 0 ? html`` : html`<ul>${findings.map((one) => html`<li><b>${one.kind}</b> ${one.message} <span class="place">${placeOf(one)}</span></li>`)}</ul>`}
${findingCount > findings.length ? html`<p>And ${findingCount - findings.length} more.</p>` : html``}
${remarks.length === 0 ? html`` : html`<ul class="remarks">${remarks.map((remark) => html`<li>${remark}</li>`)}</ul>`}`;
}

/** Which records the seals cover, in words. */
export function sealedPart({ logs }: VerifiedLogs): string {
  const [first] = logs;
  if (logs.length > 1) return 'Each log seals its own records';
  return first !== undefined && 'report' in first ? sealedPartOf(first.report) : 'No record is sealed';
}

function sealedPartOf({ sealed }: LogReport): string {
  if (sealed === 0) return 'No record is sealed';
  return sealed === 1 ? 'Record 1 is sealed' : `Records 1 to ${sealed} are sealed`;
}
