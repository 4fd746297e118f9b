import type { IncomingMessage } from 'node:http';
import { answerInTime, ConfigError } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type { AgentRegistry } from '../agents/registry.js';
import type { SignIn, UserOptions } from '../options/authority-options.js';
import type { Answer } from '../http/answer.js';
import { PageProblem, redirect } from './html.js';

/** Who is signed in. */
export interface User {
  readonly subject: string;
  readonly name: string;
}

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
  const { subject, name = subject } = answer.user;
  if (!isIdentifier(subject) || !isIdentifier(name)) {
    throw new TypeError("'authenticate' must return a user with a 'subject' that is a name");
  }
  if ((await agents.get(subject)) !== undefined) {
    throw new PageProblem(403, 'You cannot use this page', 'Your name is that of an agent.');
  }
  return { user: { subject, name } };
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
): (request: IncomingMessage, returnTo: string) => SignIn {
  return (_request, returnTo) => {
    // An issuer with http is on loopback: the options of the authority accept no other.
    if (!returnTo.startsWith('http:')) {
      throw new ConfigError('developmentUser is not for production: the issuer is not http on loopback');
    }
    return { user: { subject, ...(name !== undefined && { name }) } };
  };
}
