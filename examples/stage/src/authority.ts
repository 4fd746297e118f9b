import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Agent, AgentPrivateKey } from '@countersign/agent';
import { createAuthority, type AgentFacts, type SignIn, openSqlite } from '@countersign/authority';
import { type AgentDirectory, agentsFromAuthority, type IssuerOptions } from '@countersign/core';
import * as openid from 'openid-client';
import { listen } from './loopback.js';

/** An authority for one API, on a free port of this machine, with all its state in memory. */
export interface StageAuthority {
  readonly issuer: string;
  /** For `createGuard` of the API: which agents there are, and whose tokens count. */
  readonly trusted: { readonly agents: AgentDirectory; readonly issuers: readonly IssuerOptions[] };
  /** For the same, if a policy asks for approval: whose approvals count. */
  readonly approvals: { readonly issuers: readonly IssuerOptions[] };
  register(agent: Agent, key: AgentPrivateKey, facts: Pick<AgentFacts, 'capabilities' | 'roles'>): Promise<void>;
  /** Asks a user in their browser, who allows it, and gets the token of the agent. */
  letAct(consent: Consent): Promise<string>;
  /** A person opens the page of a request in their browser, and approves. */
  approve(approval: {
    readonly by: string;
    readonly url: string;
    readonly reason: string;
    readonly seen?: Consent['seen'];
  }): Promise<void>;
  close(): Promise<void>;
}

export interface Consent {
  readonly user: string;
  readonly agent: Agent;
  readonly scope: string;
  /** The user lets other agents help. */
  readonly withHelpers?: boolean;
  /** Sees each answer on the way. */
  readonly seen?: (request: string, response: Response) => Promise<unknown>;
}

// Only because everything here runs on one machine. In production: https, and a public address.
const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true };
/** Where the agent takes users back to. Nobody listens there: the browser of the story does not go on. */
const redirectUri = 'http://127.0.0.1:9/callback';

export async function startAuthority(
  audience: string,
  groups: Readonly<Record<string, readonly string[]>> = {},
): Promise<StageAuthority> {
  const place = await listen();
  const issuer = place.origin;
  const keys = new Map<string, AgentPrivateKey>();
  const authority = await quietly(async () =>
    createAuthority({
      issuer,
      secret: randomBytes(32).toString('base64url'),
      store: await openSqlite(':memory:'),
      resources: [{ audience }],
      users: { authenticate: userOf },
      approvals: { groups },
    }),
  );
  place.server.on('request', authority.listener);

  return {
    issuer,
    trusted: { agents: await agentsFromAuthority(issuer, local), issuers: [{ issuer, ...local }] },
    approvals: { issuers: [{ issuer, ...local }] },

    async register({ id }, key, facts) {
      keys.set(id, key);
      await authority.agents.add({ id, jwk: key.publicJwk, redirectUris: [redirectUri], ...facts });
    },

    async letAct({ user, agent: { id }, scope, withHelpers = false, seen }) {
      // The agent, with any OAuth library.
      const client = await openid.discovery(new URL(issuer), id, undefined, await authenticationOf(keys.get(id)), {
        execute: [openid.allowInsecureRequests],
      });
      const pkceCodeVerifier = openid.randomPKCECodeVerifier();
      const question = openid.buildAuthorizationUrl(client, {
        redirect_uri: redirectUri,
        scope,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      });

      // The user, in a browser.
      const headers = { cookie: `user=${user}` };
      const page = await fetch(question, { headers });
      await seen?.('GET /authorize', page.clone());
      const body = answerTo(await page.text(), withHelpers);
      const answer = await fetch(`${issuer}/consent`, { method: 'POST', headers, body, redirect: 'manual' });
      await seen?.('POST /consent', answer.clone());

      // The agent again.
      client[openid.customFetch] = async (url, options) => {
        const response = await fetch(url, options as RequestInit);
        await seen?.('POST /token', response.clone());
        return response;
      };
      const callback = new URL(answer.headers.get('location') ?? '');
      return (await openid.authorizationCodeGrant(client, callback, { pkceCodeVerifier })).access_token;
    },

    async approve({ by, url, reason, seen }) {
      const path = '/approvals/ID';
      const headers = { cookie: `user=${by}` };
      const page = await fetch(url, { headers });
      await seen?.(`GET ${path}`, page.clone());
      const [, ticket = ''] = /name="ticket" value="([^"]+)"/.exec(await page.text()) ?? [];
      const body = new URLSearchParams({ ticket, reason, decision: 'approve' });
      await seen?.(`POST ${path}`, await fetch(url, { method: 'POST', headers, body, redirect: 'manual' }));
    },

    async close() {
      await place.close();
      await authority.close();
    },
  };
}

/** Stands for the session of your application, which knows who is signed in. */
function userOf({ headers }: IncomingMessage): SignIn {
  const [, user] = /^user=(.+)$/.exec(headers.cookie ?? '') ?? [];
  return user === undefined ? { redirect: 'http://127.0.0.1:9/login' } : { user: { subject: user } };
}

async function authenticationOf(key: AgentPrivateKey | undefined): Promise<openid.ClientAuth> {
  if (key === undefined) throw new Error('the agent is not registered');
  const { kty, crv, x, d } = key.exportJwk();
  return openid.PrivateKeyJwt(await crypto.subtle.importKey('jwk', { kty, crv, x, d }, 'Ed25519', false, ['sign']));
}

/** The form as the page shows it, with the button that allows. */
function answerTo(page: string, withHelpers: boolean): URLSearchParams {
  const valuesOf = (name: string) => [...page.matchAll(new RegExp(`name="${name}" value="([^"]+)"`, 'g'))];
  const chosen = { seconds: '900', uses: '', decision: 'allow', ...(withHelpers && { pass_on: 'yes' }) };
  const form = new URLSearchParams(chosen);
  for (const name of ['ticket', 'scope']) for (const [, value = ''] of valuesOf(name)) form.append(name, value);
  return form;
}

/** On Node 20, `oidc-provider` warns while it is loaded that it is not supported there. The story has no place for it. */
export async function quietly<Result>(work: () => Promise<Result>): Promise<Result> {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
}
