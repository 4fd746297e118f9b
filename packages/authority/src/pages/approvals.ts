import type { IncomingMessage } from 'node:http';
import type { RegisteredAgent } from '../agents/agent.js';
import type { AgentRegistry } from '../agents/registry.js';
import {
  type Approval,
  breakGlassProblem,
  decisionProblem,
  groupsAsked,
  reviewProblem,
  type Verdict,
  stillMissing,
} from '../approvals/approval.js';
import type { ApprovalQueue } from '../approvals/queue.js';
import { AuthorityError } from '../authority-error.js';
import type { Answer } from '../http/answer.js';
import { createSealedJson } from '../keys/sealed-json.js';
import type { ApprovalSettings } from '../options/read-approvals.js';
import { approvalPage } from './approval-page.js';
import type { PageServices } from './consent.js';
import { historyPage, inboxPage } from './approvals-page.js';
import { foreign, readForm } from './form.js';
import { PageProblem, redirect } from './html.js';
import { signIn, type User } from './sign-in.js';

/** The pages on which people decide, below `/approvals`. */
export interface ApprovalPages {
  route(request: IncomingMessage, path: string, query: URLSearchParams): Promise<Answer | undefined>;
}

export interface ApprovalPageServices {
  readonly settings: PageServices['settings'] & { readonly approvals: ApprovalSettings };
  readonly signOutForm?: PageServices['signOutForm'];
  readonly agents: AgentRegistry;
  readonly queue: ApprovalQueue;
  readonly now: () => number;
}

const ticketSeconds = 1800;
const mostPast = 100;
const mostWaiting = 200;
const mostAlike = 6;
/** Denials of one agent that are searched for those of the same action. Only people make them. */
const mostDenied = 200;

export function createApprovalPages({
  settings,
  signOutForm,
  agents,
  queue,
  now,
}: ApprovalPageServices): ApprovalPages {
  const { users, approvals: options, issuerName: issuer } = settings;
  const here = `${issuer}/approvals`;
  const tickets = createSealedJson(settings, 'approval pages', now);

  /** Who is signed in, with the groups of the options too. Asked anew for each page and each decision. */
  async function whoIs(request: IncomingMessage, returnTo: string): Promise<User | Answer> {
    const signedIn = await signIn(request, returnTo, { users, agents });
    if ('answer' in signedIn) return signedIn.answer;
    const { user } = signedIn;
    const named = [...options.groups].flatMap(([group, subjects]) => (subjects.has(user.subject) ? [group] : []));
    return { ...user, groups: [...new Set([...user.groups, ...named])] };
  }

  /** Whoever is in none of the groups learns nothing, not even that there is such a request. */
  async function visible(id: string, user: User): Promise<Approval> {
    const approval = await queue.find(id);
    const asked = approval === undefined ? [] : groupsAsked(approval.request);
    const concerns = user.groups.some((group) => asked.includes(group)) || options.breakGlass.has(user.subject);
    if (approval !== undefined && concerns && approval.tenant === (user.tenant ?? '')) return approval;
    throw new PageProblem(
      404,
      'Nothing here for you',
      'There is no such request, or it is for other people to decide.',
    );
  }

  /** The agents that asked, each read once. */
  async function agentsOf(approvals: readonly Approval[]): Promise<ReadonlyMap<string, RegisteredAgent>> {
    const ids = [...new Set(approvals.map(({ agent }) => agent))];
    const found = await Promise.all(ids.map(async (id) => await agents.get(id)));
    return new Map(found.flatMap((agent) => (agent === undefined ? [] : [[agent.id, agent] as const])));
  }

  async function inbox(request: IncomingMessage): Promise<Answer> {
    const user = await whoIs(request, here);
    if ('status' in user) return user;
    const tenant = user.tenant ?? '';
    const mayBreakGlass = options.breakGlass.has(user.subject);
    const [asked, all] = await Promise.all([
      queue.list({ groups: user.groups, tenant, waiting: true, limit: mostWaiting }),
      mayBreakGlass ? queue.list({ tenant, waiting: true, limit: mostWaiting }) : [],
    ]);
    const known = await agentsOf([...asked, ...all]);
    // Whose consent changes nothing is not asked for it.
    const waiting = asked.filter(
      (one) =>
        one.decisions.every(({ approver }) => approver !== user.subject) &&
        stillMissing(one).some(({ groups }) => groups.some((group) => user.groups.includes(group))) &&
        decisionProblem(one, user, known.get(one.agent)?.owner) === undefined,
    );
    const ids = new Set(waiting.map(({ id }) => id));
    const emergencies = all.filter(({ id }) => !ids.has(id));
    return inboxPage({
      user,
      signOut: signOutForm?.(user, here),
      waiting,
      emergencies,
      isAll: Math.max(asked.length, all.length) < mostWaiting,
      agents: known,
      here,
      now: now(),
    });
  }

  async function history(request: IncomingMessage): Promise<Answer> {
    const user = await whoIs(request, `${here}/history`);
    if ('status' in user) return user;
    const tenant = user.tenant ?? '';
    // What people decided comes first: an agent could push it out by what it withdraws.
    const filter = { groups: user.groups, tenant, ended: true, decidedFirst: true, limit: mostPast };
    const ended = await queue.list(filter);
    return historyPage(
      { user, signOut: signOutForm?.(user, `${here}/history`), agents: await agentsOf(ended), here, now: now() },
      ended,
    );
  }

  async function detail(request: IncomingMessage, id: string, query: URLSearchParams): Promise<Answer> {
    const user = await whoIs(request, `${here}/${id}`);
    if ('status' in user) return user;
    const approval = await visible(id, user);
    const { binding, tenant } = approval;
    const ofAgent = { agent: approval.agent, tenant };
    const [agent, since, alike, denied] = await Promise.all([
      agents.get(approval.agent),
      queue.since(user.subject),
      queue.list({ ...ofAgent, binding, ended: true, decidedFirst: true, limit: mostAlike }),
      queue.list({ ...ofAgent, groups: user.groups, denied: true, limit: mostDenied }),
    ]);
    const isBefore = (one: Approval): boolean => one.id !== id && one.askedAt <= approval.askedAt;
    const decided = approval.decisions.some(({ approver }) => approver === user.subject);
    const problem = decided ? 'You have decided.' : decisionProblem(approval, user, agent?.owner);
    const { subject } = user;
    return approvalPage({
      approval,
      earlier: alike.filter(isBefore),
      deniedAlike: denied
        .filter((one) => isBefore(one) && one.binding !== binding && isSameAction(one, approval))
        .slice(0, mostAlike),
      user,
      signOut: signOutForm?.(user, `${here}/${id}`),
      agentName: agent?.name ?? approval.agent,
      ...(agent?.owner !== undefined && { ownerNow: agent.owner }),
      ...(problem !== undefined && { problem }),
      mayBreakGlass: !decided && breakGlassProblem(approval, user, options.breakGlass, agent?.owner) === undefined,
      mayReview:
        approval.brokeGlass &&
        approval.reviewedBy === undefined &&
        reviewProblem(approval, user, options.breakGlass, agent?.owner) === undefined,
      action: `${here}/${id}`,
      inbox: here,
      ticket: tickets.seal({ subject, id, binding, since, exp: now() + ticketSeconds }),
      now: now(),
      ...(query.has('done') && { notice: 'Your decision is recorded.' }),
    });
  }

  async function answer(request: IncomingMessage, id: string): Promise<Answer> {
    const form = await readForm(request, settings.issuer.origin);
    const user = await whoIs(request, `${here}/${id}`);
    const ticket = tickets.open(form.get('ticket'));
    if ('status' in user || ticket?.['subject'] !== user.subject || ticket['id'] !== id) throw foreign();
    await visible(id, user);
    // As of the page, so before the session was found above.
    const since = Number(ticket['since']);
    const [decision, text = ''] = [form.get('decision'), form.get('reason')?.trim()];
    try {
      if (decision === 'review') await queue.review(id, user, since);
      else {
        const verdict = verdicts.find((each) => each === decision);
        if (verdict === undefined) throw foreign();
        const reason = text === '' ? {} : { reason: text };
        await queue.decide(user, { id, binding: String(ticket['binding']), verdict, ...reason, since });
      }
    } catch (error) {
      if (!(error instanceof AuthorityError)) throw error;
      throw new PageProblem(...problemOf(error), 'Nothing was changed. Go back and look at the request again.');
    }
    return redirect(`${here}/${id}?done`);
  }

  return {
    async route(request, path, query) {
      const [, , id, ...rest] = path.split('/');
      const method = request.method ?? '';
      if (rest.length > 0) return undefined;
      if (id === undefined) return method === 'GET' ? await inbox(request) : undefined;
      if (id === 'history') return method === 'GET' ? await history(request) : undefined;
      if (method === 'GET') return await detail(request, id, query);
      return method === 'POST' ? await answer(request, id) : undefined;
    },
  };
}

/** Of another binding: one more character in a body makes one, and what it does may be the same. */
function isSameAction({ request: one }: Approval, { request: other }: Approval): boolean {
  const [a, b] = [one.resource, other.resource];
  return one.action === other.action && a.type === b.type && a.id === b.id;
}

const verdicts: readonly Verdict[] = ['approve', 'deny', 'break_glass'];

function problemOf({ code, message }: AuthorityError): readonly [number, string] {
  if (code === 'approval_forbidden') return [403, `You may not decide this. ${message}`];
  if (code === 'approval_invalid') return [400, 'A reason is needed'];
  return [409, `This cannot be decided any more: ${message}`];
}
