import { approvalDetails } from '@countersign/approval';
import { member } from '@countersign/common';
import { AgentError } from '../agent-error.js';
import type { ApprovalOptions, ApprovalQuestion } from '../approval-question.js';
import { wait } from '../sign-anew.js';
import { type AuthorityAnswer, type AuthorityClient, refusalIn } from './authority-client.js';
import { quoted, unavailable } from './send.js';

/** Asks people at an authority. */
export interface ApprovalEndpoint {
  /** Resolves to the approval; rejects with `AgentError` `approval_denied`, `approval_expired` and others. */
  request(question: ApprovalQuestion, options: ApprovalOptions): Promise<string>;
}

/** The authority says how often to ask; never more often, and not much more rarely. */
const pollSeconds = { least: 1, most: 30, byDefault: 5 };
/** So many failures in a row end the wait. */
const mostFailures = 5;

export function approvalEndpoint(client: AuthorityClient): ApprovalEndpoint {
  const { issuer } = client;

  async function ask({ request, issuers, shown }: ApprovalQuestion): Promise<Asked> {
    if (!issuers.includes(issuer)) {
      throw new AgentError('approval_refused', `The API takes no approvals of ${issuer}, the authority of this agent.`);
    }
    const details = JSON.stringify([approvalDetails(request, shown)]);
    const answer = await client.post({ name: 'approval_endpoint' }, { authorization_details: details });
    const [id, url, lifetime] = ['approval_id', 'approval_uri', 'expires_in'].map((name) => member(answer.json, name));
    if (answer.status === 200 && typeof id === 'string' && typeof url === 'string' && typeof lifetime === 'number') {
      return { id, url, expiresInSeconds: lifetime, interval: intervalIn(answer) };
    }
    const why = refusalIn(answer);
    if (why === undefined) throw unavailable(issuer, `it answered with ${answer.status}`);
    const advice =
      member(answer.json, 'error') === 'invalid_client'
        ? ' Register this agent there, with the id and the key that it has here, also if the API knows it already. If it is registered, it may be suspended, or its key has ended.'
        : '';
    throw new AgentError('approval_refused', `${issuer} does not ask people: ${why}.${advice}`);
  }

  async function poll({ id, interval: first }: Asked, signal: AbortSignal | undefined): Promise<string> {
    let interval = first;
    for (let failures = 0; ; ) {
      await wait(interval, signal ?? null);
      try {
        const answer = await client.post({ name: 'approval_endpoint', suffix: '/poll' }, { approval_id: id });
        const approval = readState(issuer, answer);
        if (approval !== undefined) return approval;
        interval = intervalIn(answer);
        failures = 0;
      } catch (error) {
        failures += 1;
        const isOutage = error instanceof AgentError && error.code === 'authority_unavailable';
        if (!isOutage || failures >= mostFailures) throw error;
      }
    }
  }

  return {
    async request(question, { signal, onAsked }) {
      const asked = await ask(question);
      const { id, url, expiresInSeconds } = asked;
      try {
        await onAsked?.({ id, url, expiresInSeconds });
        return await poll(asked, signal);
      } catch (error) {
        // Nobody waits any more, so that people need not decide.
        if (!isDecided(error)) {
          const withdrawal = client.post({ name: 'approval_endpoint', suffix: '/withdraw' }, { approval_id: id });
          await withdrawal.catch(() => undefined);
        }
        throw error;
      }
    },
  };
}

function isDecided(error: unknown): boolean {
  return error instanceof AgentError && error.code.startsWith('approval_');
}

interface Asked {
  readonly id: string;
  readonly url: string;
  readonly expiresInSeconds: number;
  /** Seconds between two looks. */
  readonly interval: number;
}

function intervalIn({ json }: AuthorityAnswer): number {
  const given = member(json, 'interval');
  const { least, most, byDefault } = pollSeconds;
  return typeof given === 'number' ? Math.min(Math.max(given, least), most) : byDefault;
}

/** The approval; undefined while people have not decided. */
function readState(issuer: string, answer: AuthorityAnswer): string | undefined {
  const [status, approval, reason] = ['status', 'approval', 'reason'].map((name) => member(answer.json, name));
  if (answer.status !== 200) {
    const why = refusalIn(answer);
    if (why === undefined) throw unavailable(issuer, `it answered with ${answer.status}`);
    throw new AgentError('approval_refused', `${issuer} does not tell what became of the question: ${why}.`);
  }
  switch (status) {
    case 'pending':
      return undefined;
    case 'approved':
      if (typeof approval === 'string' && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(approval)) return approval;
      throw unavailable(issuer, 'it gave no approval');
    case 'denied':
      throw new AgentError(
        'approval_denied',
        `People did not approve${typeof reason === 'string' ? `: ${quoted(reason)}` : '.'}`,
      );
    case 'expired':
    case 'withdrawn':
      throw new AgentError('approval_expired', `Nobody approved in time (${status}). Ask again.`);
    default:
      throw unavailable(issuer, 'it does not say what became of the question');
  }
}
