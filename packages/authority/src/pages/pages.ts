import type { IncomingMessage } from 'node:http';
import type { UserDelegations } from '../delegation/consents.js';
import type { Answer } from '../http/answer.js';
import { type ApprovalPageServices, createApprovalPages } from './approvals.js';
import { createConsentPages, type PageServices } from './consent.js';
import { createDelegationPages } from './delegations.js';
import { messagePage, PageProblem } from './html.js';
import { type OpenIdSignIn, signInPaths } from './openid-sign-in.js';

/** The pages for users. Undefined: no such page. */
export interface Pages {
  route(request: IncomingMessage, path: string, query: URLSearchParams): Promise<Answer | undefined>;
  /** The answer to a request for a page that failed through a fault of ours. Undefined: it was for no page. */
  failure(path: string, status: number): Answer | undefined;
}

const pagePaths = ['/authorize', '/consent', '/delegations'];
const notAPage = messagePage(405, 'This is not a page', 'Start again at the agent.');

export function createPages(
  services: PageServices & {
    readonly userDelegations: UserDelegations;
    readonly signIn?: OpenIdSignIn;
    /** Undefined: there are no approvals. */
    readonly approvals: Omit<ApprovalPageServices, 'signOutForm'> | undefined;
  },
): Pages {
  const { signIn } = services;
  const consent = createConsentPages(services);
  const delegations = createDelegationPages(services);
  const approvals = services.approvals && createApprovalPages({ ...services, ...services.approvals });
  const paths = [...pagePaths, ...(signIn === undefined ? [] : signInPaths)];
  const isApproval = (path: string): boolean => approvals !== undefined && /^\/approvals(?:\/|$)/.test(path);
  const isPage = (path: string): boolean => paths.includes(path) || isApproval(path);

  return {
    async route(request, path, query) {
      try {
        const answered = await signIn?.route(request, path, query);
        if (answered !== undefined) return answered;
        if (isApproval(path)) return (await approvals?.route(request, path, query)) ?? notAPage;
        switch (`${request.method ?? ''} ${path}`) {
          case 'GET /authorize':
            return await consent.ask(request, query);
          case 'POST /consent':
            return await consent.answer(request);
          case 'GET /delegations':
            return await delegations.show(request, query);
          case 'POST /delegations':
            return await delegations.end(request);
          default:
            return paths.includes(path) ? notAPage : undefined;
        }
      } catch (error) {
        if (error instanceof PageProblem) return messagePage(error.status, error.title, error.message);
        throw error;
      }
    },

    failure: (path, status) =>
      isPage(path)
        ? messagePage(status, 'This does not work now', 'Nothing was changed. Try again in a moment.')
        : undefined,
  };
}
