import type { IncomingMessage } from 'node:http';
import { readBody, readQuery } from '@countersign/approval';
import { member } from '@countersign/common';
import { isAgentId } from '../agents/read-agent.js';
import type { Approval } from '../approvals/approval.js';
import type { Approvals } from '../approvals/approvals.js';
import { readStatistics } from '../approvals/statistics.js';
import type { ApprovalFilter } from '../approvals/selection.js';
import { readSuggestions } from '../approvals/suggestions.js';
import type { Store } from '../storage/store.js';
import { type Answer, BadRequest, readJson } from './answer.js';

export interface AdminApprovalServices {
  readonly approvals: Approvals;
  readonly store: Store;
  readonly now: () => number;
}

const mostListed = 200;

/** The approvals in the API of administrators, below `/admin/approvals`. Undefined: no such route. */
export async function adminApprovals(
  request: IncomingMessage,
  [id, part, ...rest]: readonly string[],
  query: URLSearchParams,
  { approvals: { queue, outbox, nudge }, store, now }: AdminApprovalServices,
): Promise<Answer | undefined> {
  if (rest.length > 0) return undefined;
  switch (`${request.method ?? ''} ${[id, part].filter((step) => step !== undefined).join(' ')}`.trim()) {
    case 'GET': {
      const agent = query.get('agent');
      // Postgres cannot even be asked for a text with NUL.
      if (agent !== null && !isAgentId(agent)) throw new BadRequest(400, 'invalid_request', "'agent' is no id");
      const limit = numberIn(query, 'limit', mostListed, mostListed);
      const filter = { ...filterOf(query.get('status')), ...(agent !== null && { agent }) };
      const found = await queue.list({ ...filter, limit });
      return { status: 200, body: { approvals: found, more: found.length === limit } };
    }
    case 'GET statistics': {
      const since = now() - numberIn(query, 'days', 30, 90) * 86_400;
      return { status: 200, body: await readStatistics(store, since, now()) };
    }
    case 'GET suggestions': {
      const least = numberIn(query, 'least', 10, 1000);
      return { status: 200, body: { suggestions: await readSuggestions(store, least) } };
    }
    case 'GET dead-letters':
      return { status: 200, body: { deadLetters: await outbox.deadLetters() } };
    case 'POST dead-letters': {
      const retried = await outbox.retryDeadLetters();
      nudge();
      return { status: 200, body: { retried } };
    }
    default:
      break;
  }
  if (id === undefined) return undefined;
  if (request.method === 'GET' && part === undefined) {
    const found = await queue.find(id);
    if (found === undefined) throw new BadRequest(404, 'approval_unknown', 'there is no such approval');
    return { status: 200, body: { ...found, query: readQuery(found.request), body: bodyOf(found) } };
  }
  if (request.method !== 'POST' || part !== 'denial') return undefined;
  const reason = member(await readJson(request), 'reason');
  if (reason !== undefined && typeof reason !== 'string') {
    throw new BadRequest(400, 'invalid_request', "'reason' must be text");
  }
  return { status: 200, body: summary(await queue.denyAsAdministrator(id, reason)) };
}

function filterOf(status: string | null): Omit<ApprovalFilter, 'limit'> {
  if (status === null || status === 'waiting') return { waiting: true };
  if (status === 'ended') return { ended: true, decidedFirst: true };
  if (status === 'break-glass') return { brokeGlass: true };
  throw new BadRequest(400, 'invalid_request', "'status' must be waiting, ended or break-glass");
}

function numberIn(query: URLSearchParams, name: string, byDefault: number, most: number): number {
  const text = query.get(name);
  if (text === null) return byDefault;
  if (/^[1-9]\d{0,5}$/.test(text) && Number(text) <= most) return Number(text);
  throw new BadRequest(400, 'invalid_request', `'${name}' must be a whole number from 1 to ${most}`);
}

/** How the API reads the body that the agent showed, which stands in `shown`. */
function bodyOf({ request, shown }: Approval): object {
  return { ...readBody(request, shown), text: undefined, base64: undefined };
}

/** What a list shows: not what the agent showed. */
function summary(approval: Approval): object {
  return { ...approval, shown: undefined };
}
