import { type ApprovalDetails, approvalDetailsType } from '@countersign/approval';
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { denialReason } from '../approvals/approval.js';
import { pollSeconds, readQuestion } from '../approvals/question.js';
import type { ApprovalQueue } from '../approvals/queue.js';
import { signApproval } from '../approvals/sign-approval.js';
import { AuthorityError } from '../authority-error.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import type { AuthenticatedAgent } from './client-agent.js';
import { oauthError } from './oauth-error.js';

/** Approvals by OpenID Connect CIBA, for agents with a standard client. The library reads the request; all state is in the queue. */
export interface Ciba {
  readonly feature: NonNullable<NonNullable<Configuration['features']>['ciba']>;
  /** The grant with which an agent asks for the answer. */
  poll(ctx: KoaContextWithOIDC): Promise<void>;
}

/** Sooner than this after the last time, an agent is told to slow down. */
const leastMilliseconds = 1000;
const mostPolled = 10_000;

export function createCiba(services: {
  readonly queue: ApprovalQueue;
  readonly issuer: string;
  readonly keys: SigningKeys;
  readonly now: () => number;
  readonly authenticated: (ctx: KoaContextWithOIDC) => AuthenticatedAgent;
}): Ciba {
  const { queue, authenticated } = services;
  const questions = new WeakMap<object, ApprovalDetails>();
  const polled = new Map<string, number>();

  function isTooOften(id: string): boolean {
    const at = performance.now();
    const last = polled.get(id);
    if (polled.size >= mostPolled) polled.clear();
    polled.set(id, at);
    return last !== undefined && at - last < leastMilliseconds;
  }

  return {
    feature: {
      enabled: true,
      deliveryModes: ['poll'],
      // Who decides stands in the requirement. The hint that CIBA demands is not read.
      processLoginHint: async () => await Promise.resolve('approvers'),
      processLoginHintToken: async () => await Promise.reject(new errors.InvalidRequest('send a login_hint instead')),
      verifyUserCode: async () => await Promise.resolve(),
      validateBindingMessage: async () => await Promise.resolve(),
      validateRequestContext: async (ctx) => {
        const parameters = ctx.oidc.params ?? {};
        const question = await asOAuth(() => readQuestion(parameters['authorization_details']));
        questions.set(ctx, withMessage(question, parameters));
        // The library stores its parameters as they are. What the agent shows is sealed in the queue.
        parameters['authorization_details'] = undefined;
      },
      triggerAuthenticationDevice: async (ctx) => {
        const question = questions.get(ctx);
        if (question === undefined) throw new Error('a request of CIBA was not read');
        const { id, decideBy } = await asOAuth(() => queue.ask(authenticated(ctx).agent, question));
        ctx.body = { auth_req_id: id, expires_in: Math.max(decideBy - services.now(), 1), interval: pollSeconds };
      },
    },

    async poll(ctx) {
      const id = ctx.oidc.params?.['auth_req_id'];
      const found = typeof id === 'string' ? await queue.findForAgent(id, authenticated(ctx).agent.id) : undefined;
      if (found === undefined) throw oauthError('invalid_grant', 'there is no such request');
      if (found.status === 'pending')
        throw isTooOften(found.id) ? new errors.SlowDown() : new errors.AuthorizationPending();
      if (found.status === 'denied' || found.status === 'withdrawn') {
        const reason = denialReason(found);
        ctx.status = 400;
        // The description is ASCII by RFC 6749 §5.2; people write in any language.
        ctx.body = {
          error: 'access_denied',
          error_description: found.status === 'denied' ? 'people denied the request' : 'the request was withdrawn',
          approval: { id: found.id, status: found.status, ...(reason !== undefined && { reason }) },
        };
        return;
      }
      const approval = await signApproval(found, services);
      if (approval === undefined) throw new errors.ExpiredToken('it can neither be decided nor used any more');
      ctx.body = {
        access_token: approval,
        // It goes into Agent-Approval. Clients of CIBA know no other type, and no API takes its `typ` for an access token.
        token_type: 'Bearer',
        expires_in: Number(found.useBy) - services.now(),
        authorization_details: [{ type: approvalDetailsType, binding: found.binding, request: found.request }],
      };
    },
  };
}

/** What CIBA shows to people is the reason of the agent, if it gave no other. */
function withMessage(
  question: ApprovalDetails,
  { binding_message: message }: Record<string, unknown>,
): ApprovalDetails {
  if (typeof message !== 'string' || question.shown?.why !== undefined) return question;
  return { ...question, shown: { ...question.shown, why: message.slice(0, 1024) } };
}

async function asOAuth<Result>(work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    throw error.code === 'approvals_full'
      ? oauthError('access_denied', error.message)
      : oauthError('invalid_authorization_details', error.message);
  }
}
