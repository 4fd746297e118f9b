import type { IncomingMessage } from 'node:http';
import { answerInTime, ConfigError } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type { AgentRegistry } from '../agents/registry.js';
import type { ApproverIdentity } from '../approvals/approval.js';
import type { SignedInUser, SignIn, UserOptions } from '../options/authority-options.js';
import type { Answer } from '../http/answer.js';
import { PageProblem, redirect } from './html.js';

/** Who is signed in. */
export type User = ApproverIdentity;

/** Who sends a request, or the answer that sends them to sign in. */
export type SignedIn = { readonly user: User } | { readonly answer: Answer };

const secondsToAnswer = 10;

/**
 * Asks who is signed in: the application, or the sign-in of the authority.
 *
 * @throws Error if the application says something that cannot be a user.
 */
export async function signIn(
  request: IncomingMessage,
  returnTo: string,
  { users, agents }: { readonly users: Required<Pick<UserOptions, 'authenticate'>>; readonly agents: AgentRegistry },
): Promise<SignedIn> {
  const answer = await answerInTime(secondsToAnswer, () => users.authenticate(request, returnTo));
  if ('redirect' in answer) return { answer: redirect(answer.redirect) };
  const { subject, name = subject, groups = [], tenant, amr, acr, authTime } = answer.user;
  if (!isIdentifier(subject) || !isIdentifier(name)) {
    throw new TypeError("'authenticate' must return a user with a 'subject' that is a name");
  }
  if (!Array.isArray(groups) || ![...groups, ...defined(tenant, acr)].every(isIdentifier)) {
    throw new TypeError("'authenticate' must return 'groups', 'tenant' and 'acr' that are names");
  }
  if (!(amr ?? []).every(isIdentifier) || (authTime !== undefined && !isSeconds(authTime))) {
    throw new TypeError("'authenticate' must return an 'amr' of names, and an 'authTime' in unix seconds");
  }
  if (await agents.isName(subject)) {
    throw new PageProblem(403, 'You cannot use this page', 'Your name is that of an agent.');
  }
  const user = {
    subject,
    name,
    groups,
    ...(tenant !== undefined && { tenant }),
    ...(amr !== undefined && { amr: amr.slice(0, 16) }),
    ...(acr !== undefined && { acr }),
    ...(authTime !== undefined && { authTime }),
  };
  return { user };
}

function defined(...values: readonly (string | undefined)[]): readonly string[] {
  return values.filter((value) => value !== undefined);
}

function isSeconds(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32;
}

/**
 * Signs everybody in as one user, for development: only for an authority whose issuer is http on loopback. Otherwise the
 * pages answer 500.
 *
 * @example
 * users: { authenticate: developmentUser('user:alice', 'Alice') }
 */
export function developmentUser(
  subject: string,
  name?: string,
  facts: Omit<SignedInUser, 'subject' | 'name'> = {},
): (request: IncomingMessage, returnTo: string) => SignIn {
  return (_request, returnTo) => {
    // An issuer with http is on loopback: the options of the authority accept no other.
    if (!returnTo.startsWith('http:')) {
      throw new ConfigError('developmentUser is not for production: the issuer is not http on loopback');
    }
    return { user: { ...facts, subject, ...(name !== undefined && { name }) } };
  };
}
