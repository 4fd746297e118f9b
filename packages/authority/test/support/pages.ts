import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AuthorityOptions, SignIn } from '../../src/index.js';
import { type RunningAuthority, startAuthority } from './authority.js';
import { type AgentKey, newKey, post, type TokenAnswer } from './client.js';

export const redirectUri = 'https://agent.acme.dev/callback?from=authority';

/** The application's session, as the tests have it: the name of the user in a cookie. */
export function authenticate(request: IncomingMessage, returnTo: string): SignIn {
  const [, user] = /(?:^|; )user=([^;]+)/.exec(request.headers.cookie ?? '') ?? [];
  if (user === undefined) return { redirect: `https://app.acme.dev/login?next=${encodeURIComponent(returnTo)}` };
  return { user: { subject: decodeURIComponent(user), name: `Name of ${decodeURIComponent(user)}` } };
}

export interface Pkce {
  readonly verifier: string;
  readonly challenge: string;
}

export function newPkce(): Pkce {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** An authority with pages and one agent, `agent-a`. */
export async function startPages(
  options: Parameters<typeof startAuthority>[0] = {},
): Promise<{ readonly running: RunningAuthority; readonly key: AgentKey }> {
  const users: AuthorityOptions['users'] = { authenticate };
  const running = await startAuthority({ users, ...options });
  const key = newKey();
  await running.authority.agents.add({
    id: 'agent-a',
    name: 'Invoice agent',
    owner: 'team:billing',
    publicKey: key.publicKey,
    capabilities: ['invoice:read', 'pr:write'],
    redirectUris: [redirectUri],
  });
  return { running, key };
}

export type Changes = Readonly<Record<string, string | undefined>>;

export function authorizeUrl(issuer: string, challenge: string, changes: Changes = {}): string {
  const parameters = {
    client_id: 'agent-a',
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'invoice:read pr:write:draft',
    state: 'state-of-the-agent',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changes,
  };
  const query = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `${issuer}/authorize?${new URLSearchParams(query).toString()}`;
}

/** Opens a page as a user. */
export async function open(url: string, user?: string): Promise<Response> {
  const headers = user === undefined ? {} : { cookie: `user=${encodeURIComponent(user)}` };
  return await fetch(url, { redirect: 'manual', headers });
}

/** Sends a form as a user. */
export async function submit(
  url: string,
  user: string,
  fields: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const entries: [string, string][] = Array.isArray(fields)
    ? fields.map(([name, value]) => [String(name), String(value)])
    : Object.entries(fields as Readonly<Record<string, string>>);
  return await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: `user=${encodeURIComponent(user)}`, ...headers },
    body: new URLSearchParams(entries),
  });
}

/** The sealed field of the first form of a page. */
export function ticketOf(page: string): string {
  const [, ticket] = /name="ticket" value="([^"]+)"/.exec(page) ?? [];
  if (ticket === undefined) throw new Error(`the page has no form:\n${page}`);
  return ticket;
}

/** What the page has selected when it is opened. */
export const asShown: readonly (readonly [string, string])[] = [
  ['scope', 'invoice:read'],
  ['scope', 'pr:write:draft'],
  ['seconds', '900'],
  ['uses', ''],
  ['decision', 'allow'],
];

/** Where an answer sends the browser, and with what. */
export function answerOf(response: Response): { readonly to: string; readonly parameters: Record<string, string> } {
  const url = new URL(String(response.headers.get('location')));
  return { to: url.origin + url.pathname, parameters: Object.fromEntries(url.searchParams) };
}

/** Lets a user consent, and returns the code. */
export async function consent(
  { issuer }: Pick<RunningAuthority, 'issuer'>,
  user: string,
  { challenge }: Pkce,
  fields: readonly (readonly [string, string])[] = asShown,
  changes: Changes = {},
): Promise<string> {
  const page = await (await open(authorizeUrl(issuer, challenge, changes), user)).text();
  const answered = await submit(`${issuer}/consent`, user, [['ticket', ticketOf(page)], ...fields]);
  const { code } = answerOf(answered).parameters;
  if (code === undefined) throw new Error(`no code: ${String(answered.headers.get('location'))}`);
  return code;
}

export type CodeAnswer = TokenAnswer & { readonly refresh_token?: string; readonly authorization_details?: unknown };

export async function redeem(
  running: RunningAuthority,
  key: AgentKey,
  code: string,
  { verifier }: Pkce,
  changes: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const parameters = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier };
  return await post(running, '/token', 'agent-a', key, { ...parameters, ...changes });
}
