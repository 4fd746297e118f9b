import type { RegisteredAgent } from '../agents/agent.js';
import type { Approval } from '../approvals/approval.js';
import type { Answer } from '../http/answer.js';
import { valueOf } from './approval-content.js';
import { type Html, html, page } from './html.js';
import type { User } from './sign-in.js';
import { codeOf, moment, remaining, signedInAs } from './words.js';

export interface ApprovalsView {
  readonly user: User;
  readonly signOut: Html | undefined;
  /** What the user may decide. */
  readonly waiting: readonly Approval[];
  /** What they could decide only in an emergency. */
  readonly emergencies: readonly Approval[];
  /** False: more may wait, which were not read. */
  readonly isAll: boolean;
  /** By id. */
  readonly agents: ReadonlyMap<string, RegisteredAgent>;
  /** The address of this page; that of a request is below it. */
  readonly here: string;
  readonly now: number;
}

type ListView = Omit<ApprovalsView, 'waiting' | 'emergencies' | 'isAll'>;

/** What waits for a person, the most urgent first. */
export function inboxPage(view: ApprovalsView): Answer {
  const { user, waiting, emergencies, isAll } = view;
  const title = 'Requests for approval';
  return page(
    200,
    title,
    html`${navigation(view.here, 'inbox')}
<h1>${title}</h1>
${signedInAs(user, view.signOut)}
${isAll ? undefined : html`<p role="status" class="limit">More may wait than are shown here. The most urgent ones of each agent are shown.</p>`}
${waiting.length === 0 ? html`<p>Nothing waits for you.</p>` : list(view, waiting)}
${emergencies.length === 0 ? undefined : html`<h2>Only in an emergency</h2>${list(view, emergencies)}`}`,
  );
}

/** What was decided in the groups of a person, newest first; then what ended without a decision. */
export function historyPage(view: ListView, ended: readonly Approval[]): Answer {
  const title = 'Past requests';
  const decided = ended.filter(({ decisions }) => decisions.length > 0);
  const other = ended.filter(({ decisions }) => decisions.length === 0);
  return page(
    200,
    title,
    html`${navigation(view.here, 'history')}
<h1>${title}</h1>
${signedInAs(view.user, view.signOut)}
${ended.length === 0 ? html`<p>There are none.</p>` : undefined}${section(view, 'Decided', decided)}${section(view, 'Without a decision', other)}`,
  );
}

function navigation(here: string, current: 'inbox' | 'history'): Html {
  const link = (name: typeof current, to: string, text: string): Html =>
    name === current ? html`<a href="${to}" aria-current="page">${text}</a>` : html`<a href="${to}">${text}</a>`;
  return html`<nav aria-label="Approvals">${link('inbox', here, 'Waiting')} ${link('history', `${here}/history`, 'Past')}</nav>`;
}

function section(view: ListView, title: string, approvals: readonly Approval[]): Html | undefined {
  return approvals.length === 0 ? undefined : html`<h2>${title}</h2>${list(view, approvals)}`;
}

function list(view: ListView, approvals: readonly Approval[]): Html {
  return html`<ul>
${approvals.map((approval) => item(approval, view))}</ul>`;
}

function item(approval: Approval, { here, agents, now }: ListView): Html {
  const { id, agent, request, status, decideBy, endedAt } = approval;
  const { resource, subject, action } = request;
  return html`<li class="item">
<h2><a href="${here}/${id}">${codeOf(action)} on ${codeOf(resource.type)} ${codeOf(shorten(resource.id))}</a></h2>
<p class="quiet"><bdi>${agents.get(agent)?.name ?? agent}</bdi> for ${valueOf(subject.id)}. ${status === 'pending' ? `Ends in ${remaining(decideBy - now)}.` : html`${approval.brokeGlass ? 'Approved in an emergency' : statuses[status]} ${moment(endedAt ?? decideBy, now)}`}</p>
</li>
`;
}

const statuses = { approved: 'Approved', denied: 'Denied', withdrawn: 'Withdrawn', expired: 'Expired' };

/** In a list; the page of the request has all of it. */
function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
