import { type Approval, type Decision, lacksPeople, stillMissing } from '../approvals/approval.js';
import type { Answer } from '../http/answer.js';
import { chainOf, contentOf, requestRows, row, valueOf } from './approval-content.js';
import { type Html, html, page } from './html.js';
import type { User } from './sign-in.js';
import { codeOf, duration, moment, signedInAs } from './words.js';

export interface ApprovalView {
  readonly approval: Approval;
  /** The same request, asked for before: people should know that somebody denied it. */
  readonly earlier: readonly Approval[];
  /** Requests of the same action on the same resource that somebody denied. */
  readonly deniedAlike: readonly Approval[];
  readonly user: User;
  readonly signOut: Html | undefined;
  /** How people call the agent. */
  readonly agentName: string;
  /** Who answers for the agent now. The request says who did when it was asked. */
  readonly ownerNow?: string;
  /** Why the user may not decide. Undefined: they may. */
  readonly problem?: string;
  readonly mayBreakGlass: boolean;
  readonly mayReview: boolean;
  readonly action: string;
  readonly inbox: string;
  readonly ticket: string;
  readonly now: number;
  readonly notice?: string;
}

/** One question, complete: what a page leaves out, nobody approves. */
export function approvalPage(view: ApprovalView): Answer {
  const { approval, agentName, ownerNow, user, now } = view;
  const { request, askedAt, decideBy, status } = approval;
  const { owner } = request.actor;
  const title = `${agentName} asks for approval`;
  const { useWithinSeconds } = request.requirement;
  return page(
    200,
    title,
    html`<nav aria-label="Approvals"><a href="${view.inbox}">All requests</a></nav>
<h1><bdi>${agentName}</bdi> asks to do ${codeOf(request.action)}</h1>
${signedInAs(user, view.signOut)}
${view.notice === undefined ? undefined : html`<p role="status" class="limit">${view.notice}</p>`}
${statusOf(approval)}
<h2>What exactly</h2>
<dl>
${requestRows(request)}</dl>
${contentOf(request, approval.shown, status === 'pending' || approval.decisions.length > 0)}
<h2>Who asks, and for whom</h2>
<dl>
${row('Agent', codeOf(approval.agent))}${owner === undefined ? undefined : row('Run by', valueOf(owner))}${ownerNow === undefined || ownerNow === owner ? undefined : row('Run by, now', valueOf(ownerNow))}${row('For', html`${request.subject.type} ${codeOf(request.subject.id)}`)}
${approval.shown?.why === undefined ? undefined : row('Why, it says', valueOf(approval.shown.why))}</dl>
<p class="quiet">For whom, and through whom, is what the agent says. The API takes the approval only if it is so.</p>
<h3>Chain</h3>
${chainOf(request.chain)}
<h2>When, and who decides</h2>
<dl>
${row('Asked', moment(askedAt, now))}${status === 'pending' ? row('Decide until', moment(decideBy, now)) : undefined}
${row('Counts for', html`${duration(useWithinSeconds)} after the decision, once`)}
${request.requirement.quorums.map((quorum) => row('Needs', html`${quorum.count} of ${groupsOf(quorum.groups)}`))}
${request.requirement.excluded.length === 0 ? undefined : row('Not by', html`${request.requirement.excluded.map((who) => exclusions[who]).join(', ')}`)}
${row('Asked for by', html`${request.policies.map((name, index) => (index === 0 ? codeOf(name) : html`, ${codeOf(name)}`))}`)}
${row('Policy set', codeOf(request.policySet))}
</dl>
${earlierOf('The same request before', view.earlier, now)}${earlierOf('Denied before: the same action, with other content or circumstances', view.deniedAlike, now)}
${decisionsOf(approval, now)}
${formsOf(view)}`,
  );
}

function statusOf(approval: Approval): Html | undefined {
  const { status, signedAt, brokeGlass, reviewedBy } = approval;
  if (brokeGlass) {
    return html`<p class="alarm"><strong>Approved in an emergency.</strong> ${reviewedBy === undefined ? 'Nobody has reviewed it yet.' : html`Reviewed by <bdi>${reviewedBy}</bdi>.`}</p>`;
  }
  if (status !== 'pending') {
    return html`<p class="limit"><strong>This request ${endings[status]}</strong></p>${signedAt !== undefined && lacksPeople(approval) ? tooLate : undefined}`;
  }
  const missing = stillMissing(approval).map(
    ({ groups, count }, index) => html`${index === 0 ? '' : ', and '}${count} more of ${groupsOf(groups)}`,
  );
  return approval.decisions.length === 0 ? undefined : html`<p class="limit">It still needs ${missing}.</p>`;
}

const tooLate = html`<p class="alarm"><strong>It lacks people now,</strong> but the agent had the approval already. It may have used it, and still can for as long as it counts, unless the API revokes it.</p>`;

const exclusions = { subject: 'the person it acts for', owner: 'whoever runs the agent' };

const endings = {
  approved: 'was approved.',
  denied: 'was denied.',
  withdrawn: 'was withdrawn by the agent.',
  expired: 'has expired: nobody decided in time.',
};

function earlierOf(title: string, earlier: readonly Approval[], now: number): Html | undefined {
  if (earlier.length === 0) return undefined;
  return html`<h2>${title}</h2>
<ul>
${earlier.map(
  (
    one,
  ) => html`<li class="item">It ${endings[one.status === 'pending' ? 'expired' : one.status]} ${moment(one.endedAt ?? one.decideBy, now)}${one.decisions.map(({ name, reason }) => html`<br><bdi>${name}</bdi>${reason === undefined ? undefined : html`: <q>${reason}</q>`}`)}</li>
`,
)}</ul>
`;
}

function decisionsOf({ decisions }: Approval, now: number): Html | undefined {
  if (decisions.length === 0) return undefined;
  const verdicts = { approve: 'approved', deny: 'denied', break_glass: 'approved in an emergency' };
  const item = ({ name, approver, verdict, reason, decidedAt, revokedAt }: Decision): Html => html`<li class="item">
<bdi>${name}</bdi> ${name === approver ? undefined : html`(${codeOf(approver)}) `}${verdicts[verdict]} ${moment(decidedAt, now)}${reason === undefined ? undefined : html`<br><q>${reason}</q>`}${revokedAt === undefined ? undefined : html`<br><strong>Does not count any more:</strong> this person was revoked ${moment(revokedAt, now)}`}
</li>
`;
  return html`<h2>Decisions</h2>
<ul>
${decisions.map(item)}</ul>`;
}

function formsOf(view: ApprovalView): Html | undefined {
  const { approval, action, ticket, problem } = view;
  const hidden = html`<input type="hidden" name="ticket" value="${ticket}">`;
  if (view.mayReview) {
    return html`<form method="post" action="${action}">${hidden}
<div class="buttons"><button name="decision" value="review">I have reviewed this emergency</button></div>
</form>`;
  }
  if (approval.status !== 'pending') return undefined;
  const emergency = view.mayBreakGlass ? emergencyForm(action, hidden) : undefined;
  if (problem !== undefined) return html`<p class="limit">You cannot decide: ${problem}</p>${emergency}`;
  const isRequired = approval.request.requirement.reason === 'required';
  return html`<form method="post" action="${action}">${hidden}
<div class="field">
<label class="label" for="reason">Reason${isRequired ? ' (needed to approve)' : ''}</label>
<textarea id="reason" name="reason" maxlength="1000" aria-describedby="reason-hint"${isRequired ? html` required` : undefined}></textarea>
<p class="quiet" id="reason-hint">It is recorded. If you deny, the agent reads it.</p>
</div>
<div class="buttons">
<button class="plain" name="decision" value="deny" formnovalidate>Deny</button>
<button name="decision" value="approve">Approve</button>
</div>
</form>
${emergency}`;
}

function emergencyForm(action: string, hidden: Html): Html {
  return html`<details><summary>Emergency</summary>
<form method="post" action="${action}">${hidden}
<p class="alarm">You approve alone, against the rule above. It counts for a few minutes at most, all channels announce it, and somebody else reviews it.</p>
<div class="field">
<label class="label" for="emergency">Reason (needed)</label>
<textarea id="emergency" name="reason" maxlength="1000" required></textarea>
</div>
<div class="buttons"><button class="danger" name="decision" value="break_glass">Approve in an emergency</button></div>
</form></details>`;
}

function groupsOf(groups: readonly string[]): Html {
  return html`${groups.map((group, index) => html`${index === 0 ? '' : ' or '}<bdi>${group}</bdi>`)}`;
}
