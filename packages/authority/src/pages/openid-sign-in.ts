import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { member } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type { Answer } from '../http/answer.js';
import { createSealedJson } from '../keys/sealed-json.js';
import type { SignedInUser, SignIn, SignInOptions } from '../options/authority-options.js';
import type { Settings } from '../options/read-options.js';
import { takeOnce } from '../storage/one-time.js';
import { foreign, readForm } from './form.js';
import { type Html, html, page, PageProblem, redirect } from './html.js';
import { openIdProvider, type ProvidedUser, SignInRefused } from './openid-provider.js';
import { createCookies, createSessions } from './sessions.js';
import type { User } from './sign-in.js';

/** The sign-in of users at an OpenID provider, with a session of the authority. */
export interface OpenIdSignIn {
  /** For the option `authenticate` of `users`. */
  readonly authenticate: (request: IncomingMessage, returnTo: string) => Promise<SignIn>;
  /** Undefined: it is no request of the sign-in. */
  route(request: IncomingMessage, path: string, query: URLSearchParams): Promise<Answer | undefined>;
  /** A button for pages of a signed-in user, with which they sign out. */
  readonly signOutForm: (user: User, returnTo: string) => Html;
}

export const signInPaths: readonly string[] = ['/sign-in', '/sign-in/callback', '/sign-out'];

const attemptSeconds = 600;
const ticketSeconds = 3600;
/** A browser takes 4096 bytes for a cookie with its attributes. */
const longestAttempt = 3900;
const attemptCookie = 'sign-in';

export async function createOpenIdSignIn({
  settings,
  options,
  now,
}: {
  readonly settings: Settings;
  readonly options: SignInOptions;
  readonly now: () => number;
}): Promise<OpenIdSignIn> {
  const { issuerName: issuer, store } = settings;
  const callback = `${issuer}/sign-in/callback`;
  const provider = openIdProvider(options, callback);
  const cookies = createCookies(settings.issuer);
  const sessions = createSessions(store, cookies, now);
  const attempts = createSealedJson(settings, 'sign-ins', now);
  const tickets = createSealedJson(settings, 'sign-outs', now);
  await provider.check(settings.onTrouble);

  const signInAddress = (returnTo: string, again = false): string =>
    `${issuer}/sign-in?${new URLSearchParams({ return_to: returnTo, ...(again && { again: 'yes' }) }).toString()}`;

  /** Only pages of ours: the address of a sign-in must not lead elsewhere. */
  function readReturnTo(value: string | null): string {
    const isPage = value?.startsWith(`${issuer}/`) === true && new URL(value).href === value;
    return isPage && !value.startsWith(`${issuer}/sign-`) ? value : `${issuer}/delegations`;
  }

  async function begin(query: URLSearchParams): Promise<Answer> {
    const [state, nonce, verifier] = [randomToken(), randomToken(), randomToken()];
    const returnTo = readReturnTo(query.get('return_to'));
    const begunAt = await store.clock();
    const sealed = attempts.seal({ state, nonce, verifier, returnTo, begunAt, exp: now() + attemptSeconds });
    if (sealed.length > longestAttempt) {
      throw new PageProblem(
        414,
        'This request is too long to sign in with',
        `Sign in at ${issuer}/delegations first. Then start again at the agent.`,
      );
    }
    return withCookies(redirect(await provider.signInUrl({ state, nonce, verifier }, query.has('again'))), [
      cookies.write(attemptCookie, sealed, attemptSeconds),
    ]);
  }

  async function end(request: IncomingMessage, query: URLSearchParams): Promise<Answer> {
    const attempt = attempts.open(cookies.read(request, attemptCookie));
    // The one that this browser began last: nobody else can make it sign in as another user.
    if (attempt === undefined || attempt['state'] !== query.get('state')) {
      throw new PageProblem(
        400,
        'This sign-in does not count',
        'It took too long, or was begun in another browser or tab. Go back to where you came from, and start again.',
      );
    }
    const [state, nonce, verifier, returnTo] = ['state', 'nonce', 'verifier', 'returnTo'].map((name) =>
      String(attempt[name]),
    ) as [string, string, string, string];
    const user = await signedInBy(query, { state, nonce, verifier });
    const session = await sessions.begin(request, user, Number(attempt['begunAt']));
    if (session === undefined) {
      throw new PageProblem(
        403,
        'You are not signed in',
        'Your access ended while you signed in. If you may, start again.',
      );
    }
    return withCookies(redirect(returnTo), [cookies.write(attemptCookie, '', 0), session]);
  }

  async function signedInBy(
    answer: URLSearchParams,
    attempt: Parameters<typeof provider.userOf>[1],
  ): Promise<SignedInUser> {
    let provided: ProvidedUser;
    try {
      if (!(await takeOnce(store, 'sign-in', attempt.state, now() + attemptSeconds))) {
        throw new SignInRefused('it was used before');
      }
      provided = await provider.userOf(answer, attempt);
    } catch (error) {
      if (!(error instanceof SignInRefused)) throw error;
      throw new PageProblem(403, 'You are not signed in', `The sign-in did not succeed: ${error.message}.`);
    }
    const { claims, name } = provided;
    const { subjectNamespace, subjectClaim = 'sub' } = options;
    const user = member(claims, subjectClaim);
    if (!isIdentifier(user)) {
      const reason = `The ID token has no claim '${subjectClaim}' that names you. Tell the administrator of the authority.`;
      throw new PageProblem(403, 'You are not signed in', reason);
    }
    const { tenantClaim } = options;
    const tenant = tenantClaim === undefined ? undefined : member(claims, tenantClaim);
    if (tenant !== undefined && !isIdentifier(tenant)) {
      const reason = `The claim '${tenantClaim}' of the ID token is not one tenant. Tell the administrator of the authority.`;
      throw new PageProblem(403, 'You are not signed in', reason);
    }
    const subject = `${subjectNamespace}${user}`;
    if (!isIdentifier(subject) || !hasClaims(claims, options.requiredClaims ?? {})) {
      throw new PageProblem(403, 'You cannot sign in here', 'Your account is not one of those that may.');
    }
    return { ...factsIn(claims, options), ...(tenant !== undefined && { tenant }), subject, name: name ?? subject };
  }

  async function signOut(request: IncomingMessage): Promise<Answer> {
    const form = await readForm(request, settings.issuer.origin);
    const ticket = tickets.open(form.get('ticket'));
    const user = await sessions.userOf(request);
    if (ticket === undefined || (user !== undefined && user.subject !== ticket['subject'])) throw foreign();
    const cookie = await sessions.end(request);
    const there = await provider.signOutUrl();
    const answer = page(
      200,
      'You are signed out',
      html`<h1>You are signed out</h1>
<p>Agents that act for you go on until you end that, or until their time is over.</p>
${there === undefined ? undefined : html`<p>You may still be signed in at <bdi>${new URL(options.issuer).host}</bdi>. <a href="${there}">Sign out there</a></p>`}
<p><a href="${signInAddress(readReturnTo(String(ticket['returnTo'])), true)}">Sign in again</a></p>`,
    );
    return withCookies(answer, [cookie]);
  }

  return {
    async authenticate(request, returnTo) {
      const user = await sessions.userOf(request);
      return user === undefined ? { redirect: signInAddress(returnTo) } : { user };
    },

    async route(request, path, query) {
      switch (`${request.method ?? ''} ${path}`) {
        case 'GET /sign-in':
          return await begin(query);
        case 'GET /sign-in/callback':
          return await end(request, query);
        case 'POST /sign-out':
          return await signOut(request);
        default:
          return undefined;
      }
    },

    signOutForm: ({ subject }, returnTo) => html`<form method="post" action="${issuer}/sign-out">
<input type="hidden" name="ticket" value="${tickets.seal({ subject, returnTo, exp: now() + ticketSeconds })}">
<button class="link">Sign out</button>
</form>`,
  };
}

/** Each claim has the value, or is a list in which it stands. */
function hasClaims(claims: ProvidedUser['claims'], required: NonNullable<SignInOptions['requiredClaims']>): boolean {
  return Object.entries(required).every(([name, value]) =>
    [Object.hasOwn(claims, name) ? claims[name] : undefined].flat().includes(value),
  );
}

/** What counts for approvals: groups by the claim that the options name, and how the user signed in. */
function factsIn(
  claims: ProvidedUser['claims'],
  { groupsClaim = 'groups' }: SignInOptions,
): Omit<SignedInUser, 'subject' | 'name'> {
  const own = (name: string): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined);
  const groups = [own(groupsClaim)].flat().filter(isIdentifier);
  const amr = [own('amr')].flat().filter(isIdentifier);
  const [acr, authTime] = [own('acr'), own('auth_time')];
  return {
    groups,
    ...(amr.length > 0 && { amr }),
    ...(isIdentifier(acr) && { acr }),
    ...(Number.isSafeInteger(authTime) && { authTime: Number(authTime) }),
  };
}

function withCookies(answer: Answer, values: readonly string[]): Answer {
  return { ...answer, headers: { ...answer.headers, 'set-cookie': values } };
}

function randomToken(): string {
  return randomBytes(32).toString('base64url');
}
