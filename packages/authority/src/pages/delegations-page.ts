import type { RegisteredAgent } from '../agents/agent.js';
import type { Consent, HeldTokens } from '../delegation/consents.js';
import type { Answer } from '../http/answer.js';
import { type Html, html, page } from './html.js';
import type { User } from './sign-in.js';
import { codeOf, limitText, remaining, signedInAs } from './words.js';

export interface DelegationsView {
  readonly user: User;
  readonly signOut: Html | undefined;
  readonly consents: readonly Consent[];
  readonly held: readonly HeldTokens[];
  /** By id. */
  readonly agents: ReadonlyMap<string, RegisteredAgent>;
  readonly action: string;
  readonly ticket: string;
  readonly now: number;
  /** After a form: what it did. */
  readonly notice?: string;
}

/** What acts for a user now. Revoking something ends all that was made from it. */
export function delegationsPage(view: DelegationsView): Answer {
  const { user, signOut, consents, held, notice } = view;
  const ofConsents = new Set(consents.map(({ id }) => id));
  const agents = groupByAgent(held.filter(({ root }) => !ofConsents.has(root)));
  const isEmpty = consents.length === 0 && agents.length === 0;
  const title = 'Agents that act for you';
  return page(
    200,
    title,
    html`<h1>${title}</h1>
${signedInAs(user, signOut)}
${notice === undefined ? undefined : html`<p role="status" class="limit">${notice}</p>`}
${isEmpty ? html`<p>No agent acts for you now.</p>` : listOf(view, agents)}`,
  );
}

function listOf(view: DelegationsView, agents: readonly HeldTokens[]): Html {
  const all = html`<input type="hidden" name="all" value="yes">`;
  return html`<ul>
${view.consents.map((consent) => consentItem(consent, view))}${agents.map((held) => agentItem(held, view))}</ul>
${view.consents.length + agents.length > 1 ? form(view, all, 'End all of them', 'all agents') : undefined}`;
}

function consentItem(consent: Consent, view: DelegationsView): Html {
  const helpers = view.held.filter(({ root, agent }) => root === consent.id && agent !== consent.agent);
  const name = nameOf(consent.agent, view);
  return html`<li class="item">
<h2><bdi>${name}</bdi></h2>
<dl>
<dt>May use</dt><dd>${consent.scope.map((scope, index) => (index === 0 ? codeOf(scope) : html`, ${codeOf(scope)}`))}</dd>
${(consent.authorizationDetails ?? []).map((detail) => html`<dt>Only for</dt><dd>${limitText(detail)}</dd>`)}
<dt>At</dt><dd>${codeOf(consent.audience)}</dd>
<dt>Ends in</dt><dd>${remaining(consent.expiresAt - view.now)}</dd>
${consent.usesLeft === undefined ? undefined : html`<dt>Tokens left</dt><dd>${consent.usesLeft}</dd>`}
${helpers.length === 0 ? undefined : html`<dt>Helped by</dt><dd>${helpers.map(({ agent }, index) => html`${index === 0 ? '' : ', '}<bdi>${nameOf(agent, view)}</bdi>`)}</dd>`}
</dl>
${form(view, html`<input type="hidden" name="delegation" value="${consent.id}">`, 'End this', name)}
</li>
`;
}

function agentItem(held: HeldTokens, view: DelegationsView): Html {
  const name = nameOf(held.agent, view);
  return html`<li class="item">
<h2><bdi>${name}</bdi></h2>
<p class="quiet">Acts for you with ${held.tokens} ${held.tokens === 1 ? 'token' : 'tokens'} that it got for your sign-in elsewhere. The last ends in ${remaining(held.expiresAt - view.now)}.</p>
${form(view, html`<input type="hidden" name="agent" value="${held.agent}">`, 'End all of this agent', name)}
</li>
`;
}

/** A button. Its name says what it ends, for those who do not see what is around it. */
function form({ action, ticket }: DelegationsView, what: Html, text: string, of: string): Html {
  return html`<form method="post" action="${action}">
<input type="hidden" name="ticket" value="${ticket}">${what}
<button class="danger" aria-label="${text}: ${of}">${text}</button>
</form>`;
}

function nameOf(agent: string, { agents }: DelegationsView): string {
  return agents.get(agent)?.name ?? agent;
}

function groupByAgent(held: readonly HeldTokens[]): readonly HeldTokens[] {
  const groups = new Map<string, HeldTokens>();
  for (const one of held) {
    const { tokens = 0, expiresAt = 0 } = groups.get(one.agent) ?? {};
    groups.set(one.agent, {
      ...one,
      tokens: tokens + one.tokens,
      expiresAt: Math.max(expiresAt, one.expiresAt),
    });
  }
  return [...groups.values()];
}
