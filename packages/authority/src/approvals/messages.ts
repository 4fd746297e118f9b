import { boundString, escapeUnprintable } from '@countersign/common';
import { type Approval, type ApprovalEvent, counted, groupsAsked } from './approval.js';

/** What a channel is told. Never an argument, a content, a resource or a reason: those are behind the link. */
export interface Message {
  readonly event: ApprovalEvent;
  readonly approval: Approval;
  /** How people call the agent. */
  readonly agentName: string;
  readonly link: string;
  /** Groups that the options of the authority name. Those of a request are the agent's words until a guard compares them. */
  readonly knownGroups: ReadonlySet<string>;
}

/** One sentence, without any word that the agent chose: only names that an administrator gave, and that of the action. */
export function sentenceOf({ event, approval, agentName, knownGroups }: Message): string {
  const [agent, action] = [shown(agentName), actionOf(approval)];
  const asked = groupsAsked(approval.request);
  const known = asked.filter((group) => knownGroups.has(group)).map(shown);
  const unnamed = known.length === 0 ? 'the people whom policy names' : 'others whom policy names';
  const groups = [...known, ...(known.length < asked.length ? [unnamed] : [])].join(', ');
  if (event === 'asked') {
    return `${agent} asks for approval of ${action}. To be decided by ${groups} until ${timeOf(approval.decideBy)}.`;
  }
  if (event === 'break_glass') {
    const who = counted(approval).find(({ verdict }) => verdict === 'break_glass')?.name ?? 'Somebody';
    return `EMERGENCY: ${shown(who)} alone approved ${action} by ${agent}. Somebody of ${groups} must review it.`;
  }
  return `${action} by ${agent} was ${event}.`;
}

/** For a webhook of an application. */
export function webhookBody(message: Message, id: string, issuer: string): object {
  const { approval, event, agentName, link } = message;
  return {
    id,
    issuer,
    event: `approval.${event}`,
    approval: {
      id: approval.id,
      uri: link,
      status: approval.status,
      agent: approval.agent,
      agent_name: agentName,
      action: approval.request.action,
      binding: approval.binding,
      groups: groupsAsked(approval.request),
      asked_at: approval.askedAt,
      decide_by: approval.decideBy,
      break_glass: approval.brokeGlass,
    },
  };
}

/** Names are plain text in it: an agent must not be able to mention people, or to write links. */
export function slackBody(message: Message): object {
  const text = sentenceOf(message);
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return {
    text: escaped,
    blocks: [
      { type: 'section', text: { type: 'plain_text', text, emoji: false } },
      {
        type: 'actions',
        elements: [{ type: 'button', text: { type: 'plain_text', text: labelOf(message) }, url: message.link }],
      },
    ],
  };
}

/** An adaptive card, as workflows of Teams take it. A text run has no Markdown. */
export function teamsBody(message: Message): object {
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [{ type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: sentenceOf(message) }] }],
    actions: [{ type: 'Action.OpenUrl', title: labelOf(message), url: message.link }],
  };
  return {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card }],
  };
}

export function mailOf(message: Message): { readonly subject: string; readonly text: string } {
  const subjects = {
    asked: 'A request for approval waits',
    approved: 'A request was approved',
    denied: 'A request was denied',
    break_glass: 'EMERGENCY: a request was approved by one person alone',
  };
  return { subject: subjects[message.event], text: `${sentenceOf(message)}\n\n${labelOf(message)}: ${message.link}\n` };
}

function labelOf({ event }: Message): string {
  return event === 'asked' ? 'Look at the request' : 'See it';
}

/** Only a short name: more could be a message of the agent. With its dots, mail programs would make links of some. */
function actionOf({ request }: Approval): string {
  const isName = request.action.length <= 40 && /^[a-z]\w*(?:[.:][a-z]\w*){0,2}$/i.test(request.action);
  return isName ? request.action.replaceAll(/[.:]/g, ' › ') : 'an action';
}

function shown(name: string): string {
  return boundString(escapeUnprintable(name), 64);
}

function timeOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
