import type { IncomingMessage } from 'node:http';
import { maxApprovalRequest, maxDisclosure } from '@countersign/approval';
import { denialReason, type Approval } from '../approvals/approval.js';
import { pollSeconds, readQuestion } from '../approvals/question.js';
import type { ApprovalQueue } from '../approvals/queue.js';
import { signApproval } from '../approvals/sign-approval.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import { type Answer, BadRequest } from './answer.js';
import { type AgentFormServices, readAgentForm } from './authenticated-form.js';

export interface ApprovalServices extends AgentFormServices {
  readonly keys: SigningKeys;
  readonly queue: ApprovalQueue;
}

/** A form percent-encodes almost each character of JSON in the worst case. */
const maxFormBytes = 3 * (maxApprovalRequest + maxDisclosure) + 16_384;

/** The endpoint at which agents ask people, `/approval`, and learn what they decided. Undefined: no such route. */
export async function approval(
  request: IncomingMessage,
  path: string,
  services: ApprovalServices,
): Promise<Answer | undefined> {
  if (request.method !== 'POST' || !['/approval', '/approval/poll', '/approval/withdraw'].includes(path))
    return undefined;
  const { agent, parameters } = await readAgentForm(request, { path, maxBytes: maxFormBytes }, services);
  const { queue, issuer, now } = services;
  if (path === '/approval') {
    const { id, decideBy } = await queue.ask(agent, readQuestion(parameters.get('authorization_details')));
    const body = {
      approval_id: id,
      approval_uri: `${issuer}/approvals/${id}`,
      expires_in: Math.max(decideBy - now(), 0),
      interval: pollSeconds,
    };
    return { status: 200, body };
  }
  const id = parameters.get('approval_id') ?? '';
  const found = path === '/approval/poll' ? await queue.findForAgent(id, agent.id) : await queue.withdraw(id, agent.id);
  // The same for an approval of another agent: nobody learns which there are.
  if (found === undefined) throw new BadRequest(404, 'approval_unknown', 'there is no such approval of this agent');
  return { status: 200, body: await stateOf(found, services) };
}

async function stateOf(found: Approval, services: ApprovalServices): Promise<object> {
  const { status } = found;
  if (status === 'pending') return { status, interval: pollSeconds };
  if (status === 'denied') {
    const reason = denialReason(found);
    return { status, ...(reason !== undefined && { reason }) };
  }
  if (status !== 'approved') return { status };
  const signed = await signApproval(found, services);
  return signed === undefined ? { status: 'expired' } : { status, approval: signed };
}
