import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { errors } from 'oidc-provider';
import type { AgentRegistry } from '../agents/registry.js';
import type { ConsentContent, Consents } from '../delegation/consents.js';
import { sinceLastEnd } from '../delegation/ends.js';
import type { Answer } from '../http/answer.js';
import { createSealedJson } from '../keys/sealed-json.js';
import type { UserOptions } from '../options/authority-options.js';
import type { Settings } from '../options/read-options.js';
import type { Codes } from '../tokens/code.js';
import { oauthError } from '../tokens/oauth-error.js';
import { readRequester, readWishes, type Requester, type Wishes } from './authorization-request.js';
import { consentPage } from './consent-page.js';
import { foreign, readForm } from './form.js';
import { type Html, PageProblem, redirect } from './html.js';
import { signIn, type User } from './sign-in.js';

export interface PageServices {
  readonly settings: Omit<Settings, 'users'> & {
    readonly users: Required<Pick<UserOptions, 'authenticate' | 'longestConsentSeconds'>>;
  };
  /** A button with which the user signs out. Absent: they sign in and out elsewhere. */
  readonly signOutForm?: (user: User, returnTo: string) => Html;
  readonly agents: AgentRegistry;
  readonly consents: Consents;
  readonly codes: Codes;
  readonly now: () => number;
}

/** The authorization endpoint (RFC 6749 §3.1): asks the user, and sends the answer to the agent. */
export interface ConsentPages {
  ask(request: IncomingMessage, parameters: URLSearchParams): Promise<Answer>;
  answer(request: IncomingMessage): Promise<Answer>;
}

const ticketSeconds = 600;

export function createConsentPages(services: PageServices): ConsentPages {
  const { settings, agents, consents, codes, now } = services;
  const { issuerName: issuer, users, resources } = settings;
  // The question as it was asked, of this user, once. Other users and other sites cannot make one.
  const tickets = createSealedJson(settings, 'consent pages', now);
  const limits = { resources, longestConsentSeconds: users.longestConsentSeconds };

  /** The answer to the agent, with the issuer, so that agents of several notice a mix-up (RFC 9207). */
  function answerAgent({ redirectUri, state }: Requester, parameters: Readonly<Record<string, string>>): Answer {
    const query = new URLSearchParams({ ...parameters, ...(state !== undefined && { state }), iss: issuer }).toString();
    return redirect(`${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${query}`);
  }

  /** What is asked for; or the answer to the agent that asked wrongly. */
  function wishesOf(parameters: URLSearchParams, requester: Requester): Wishes | Answer {
    try {
      const wishes = readWishes(parameters, requester.agent, limits);
      if (parameters.get('prompt')?.split(' ').includes('none') !== true) return wishes;
      throw oauthError('interaction_required', 'the user is asked each time');
    } catch (error) {
      if (!(error instanceof errors.OIDCProviderError)) throw error;
      return answerAgent(requester, { error: error.error, error_description: String(error.error_description) });
    }
  }

  return {
    async ask(request, parameters) {
      const requester = await readRequester(parameters, { agents, now });
      const wishes = wishesOf(parameters, requester);
      if ('status' in wishes) return wishes;
      const query = parameters.toString();
      const here = `${issuer}/authorize?${query}`;
      const signedIn = await signIn(request, here, { users, agents });
      if ('answer' in signedIn) return signedIn.answer;
      const { user } = signedIn;
      const since = await sinceLastEnd(settings.store, user.subject);
      const ticket = { id: randomUUID(), subject: user.subject, query, since, exp: now() + ticketSeconds };
      return consentPage({
        agent: requester.agent,
        wishes,
        user,
        signOut: services.signOutForm?.(user, here),
        redirectUri: requester.redirectUri,
        action: `${issuer}/consent`,
        delegations: `${issuer}/delegations`,
        tokenSeconds: settings.tokenLifetimeSeconds,
        ticket: tickets.seal(ticket),
      });
    },

    async answer(request) {
      const form = await readForm(request, settings.issuer.origin);
      const signedIn = await signIn(request, `${issuer}/delegations`, { users, agents });
      const ticket = tickets.open(form.get('ticket'));
      if (ticket === undefined || 'answer' in signedIn || signedIn.user.subject !== ticket['subject']) throw foreign();
      // Read again: the agent may have changed since the question.
      const parameters = new URLSearchParams(String(ticket['query']));
      const requester = await readRequester(parameters, { agents, now });
      const wishes = wishesOf(parameters, requester);
      if ('status' in wishes) return wishes;
      if (form.get('decision') !== 'allow') {
        return answerAgent(requester, { error: 'access_denied', error_description: 'the user did not allow it' });
      }
      const { uses, ...content } = grantedBy(form, wishes, now());
      const consent = await consents.give(
        { ...content, subject: signedIn.user.subject, agent: requester.agent.id },
        {
          question: String(ticket['id']),
          questionEnds: Number(ticket['exp']),
          since: Number(ticket['since']),
          ...(uses !== undefined && { uses }),
        },
      );
      if (consent === undefined) {
        const problem = 'A question counts once, and not if your access has ended meanwhile. Start again at the agent.';
        throw new PageProblem(409, 'Your answer does not count', problem);
      }
      const { agent, redirectUri } = requester;
      const code = codes.codeFor({ consent, agent: agent.id, redirectUri, challenge: wishes.challenge });
      return answerAgent(requester, { code });
    },
  };
}

/** What the user chose. A form can narrow what was asked for, and nothing else. */
function grantedBy(
  form: URLSearchParams,
  wishes: Wishes,
  now: number,
): Omit<ConsentContent, 'subject' | 'agent'> & { readonly uses?: number } {
  const chosen = new Set(form.getAll('scope'));
  const scope = wishes.scope.filter((each) => chosen.has(each));
  if (scope.length === 0) {
    throw new PageProblem(400, 'Nothing is chosen', 'Go back and choose what the agent may use, or do not allow it.');
  }
  const seconds = wholeOf(form.get('seconds'));
  const uses = form.get('uses') === '' ? undefined : wholeOf(form.get('uses'));
  if (scope.length < chosen.size || seconds > wishes.seconds || (uses ?? Infinity) > (wishes.uses ?? Infinity)) {
    throw foreign();
  }
  return {
    audience: wishes.resource.audience,
    scope,
    expiresAt: now + seconds,
    ...(wishes.details !== undefined && { authorizationDetails: wishes.details }),
    ...(form.get('pass_on') !== 'yes' && { maxHops: 0 }),
    ...(uses !== undefined && { uses }),
  };
}

function wholeOf(text: string | null): number {
  if (text !== null && /^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw foreign();
}
