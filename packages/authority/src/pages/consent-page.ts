import type { RegisteredAgent } from '../agents/agent.js';
import type { Answer } from '../http/answer.js';
import type { Wishes } from './authorization-request.js';
import { type Html, html, page } from './html.js';
import type { User } from './sign-in.js';
import { codeOf, duration, limitText, signedInAs } from './words.js';

export interface ConsentQuestion {
  readonly agent: RegisteredAgent;
  readonly wishes: Wishes;
  readonly user: User;
  readonly signOut: Html | undefined;
  readonly redirectUri: string;
  /** Where the form goes. */
  readonly action: string;
  /** The page on which users end what they allowed. */
  readonly delegations: string;
  readonly tokenSeconds: number;
  readonly ticket: string;
}

/** Asks a user. Every limit is on the page, and each can be made narrower. */
export function consentPage(question: ConsentQuestion): Answer {
  const { agent, wishes, user, signOut, redirectUri, action, ticket, delegations, tokenSeconds } = question;
  const name = agent.name ?? agent.id;
  const title = `${name} asks to act for you`;
  const { details, resource } = wishes;
  return page(
    200,
    title,
    html`<h1><bdi>${name}</bdi> asks to act for you</h1>
${signedInAs(user, signOut)}
<p class="quiet">Whatever it does is recorded as done by this agent for you.</p>
<form method="post" action="${action}">
<input type="hidden" name="ticket" value="${ticket}">
<fieldset>
<legend>It may use</legend>
${wishes.scope.map((scope, index) => scopeChoice(scope, index))}
</fieldset>
${details === undefined ? undefined : limitsOf(details.map(limitText))}
<div class="field">
<label class="label" for="seconds">For how long</label>
<select id="seconds" name="seconds">
${durationsUpTo(wishes.seconds).map((seconds) => option(String(seconds), duration(seconds), seconds === wishes.seconds))}
</select>
</div>
<div class="field">
<label class="label" for="uses">How often</label>
<select id="uses" name="uses" aria-describedby="uses-hint">
${usesUpTo(wishes.uses)}
</select>
<p class="quiet" id="uses-hint">Each time lasts ${duration(tokenSeconds)} at most.</p>
</div>
<label class="choice"><input type="checkbox" name="pass_on" value="yes"> <span>Other agents may help it, within these limits</span></label>
<dl>
<dt>Agent</dt><dd>${codeOf(agent.id)}</dd>
${agent.owner === undefined ? undefined : html`<dt>Run by</dt><dd><bdi>${agent.owner}</bdi></dd>`}
<dt>At</dt><dd>${codeOf(resource.audience)}</dd>
<dt>You go back to</dt><dd>${codeOf(new URL(redirectUri).host)}</dd>
</dl>
<p class="quiet">You can end this at any time on the page <a href="${delegations}">Agents that act for you</a>.</p>
<div class="buttons">
<button class="plain" name="decision" value="deny">Deny</button>
<button name="decision" value="allow">Allow</button>
</div>
</form>`,
    redirectUri,
  );
}

function scopeChoice(scope: string, index: number): Html {
  return html`<label class="choice" for="scope-${index}"><input type="checkbox" id="scope-${index}" name="scope" value="${scope}" checked> ${codeOf(scope)}</label>
`;
}

function limitsOf(limits: readonly Html[]): Html {
  return html`<fieldset><legend>Only for</legend>
${limits.map(
  (limit) => html`<p class="limit">${limit}</p>
`,
)}</fieldset>`;
}

function option(value: string, text: string, selected: boolean): Html {
  return html`<option value="${value}"${selected ? html` selected` : undefined}>${text}</option>
`;
}

/** The time that was asked for, and shorter ones. */
function durationsUpTo(most: number): readonly number[] {
  return [...[300, 900, 3600, 14_400].filter((seconds) => seconds < most), most];
}

function usesUpTo(most: number | undefined): readonly Html[] {
  const once = option('1', 'Once', most === 1);
  if (most === 1) return [once];
  return [option(String(most ?? ''), most === undefined ? 'As often as it needs' : `${most} times`, true), once];
}
