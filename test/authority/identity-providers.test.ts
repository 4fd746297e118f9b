import { randomUUID } from 'node:crypto';
import { createAgent } from '@countersign/agent';
import type { AuthorityOptions } from '@countersign/authority';
import { agentsFromAuthority, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller, permit } from '@countersign/node-http';
import { betterAuth } from 'better-auth';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { blocksOf, readPage } from '../docs/blocks.js';
import { loginClient, startIdentityProvider, type TokenShape } from '../support/identity-provider.js';
import { listen, newAgentKey, startAuthority } from './support.js';

type ExternalIssuer = NonNullable<AuthorityOptions['externalIssuers']>[number];

/** The recipe of a provider as the page prints it, by its issuer. */
function recipe(issuer: string): ExternalIssuer {
  const printed = blocksOf(readPage('docs/guides/identity-providers.md'))
    .filter(({ language }) => language === 'json')
    .flatMap(({ code }) => (JSON.parse(code) as { externalIssuers?: ExternalIssuer[] }).externalIssuers ?? []);
  const found = printed.find((each) => each.issuer === issuer);
  if (found === undefined) throw new Error(`the page has no recipe for ${issuer}`);
  return found;
}

/** An authority with the recipe, an agent, and an API whose guard follows both. */
async function world(external: ExternalIssuer) {
  let handle: Parameters<typeof listen>[0] | undefined;
  const api = await listen((request, response) => handle?.(request, response));
  const { issuer, authority } = await startAuthority({
    audience: api,
    externalIssuers: [external],
    exchange: [{ agents: ['agent-a'], issuer: external.issuer }],
  });
  const { key } = await newAgentKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, capabilities: ['repo:read'] });
  const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;
  const guard = await createGuard({
    origin: api,
    agents: await agentsFromAuthority(issuer, local),
    issuers: [{ issuer, ...local }],
    policy: await cedarFromText({
      policies: 'permit (principal, action, resource) when { context.scope.contains("repo:read") };',
    }),
    audit: memoryAudit(),
  });
  onTestFinished(() => guard.close());
  const auth = agentAuth(guard);
  const mayRead = permit('repo.read', { type: 'Repo', id: '1' });
  handle = async (request, response) => {
    if ((await auth(request, response)) && (await mayRead(request, response)))
      response.end(getCaller(request)?.subject?.id);
  };
  const agent = await createAgent({ id: 'agent-a', key, authority: issuer });
  /** For whom the agent acts with the token, or why it may not. */
  return async (token: string): Promise<string> => {
    try {
      return await (await (await agent.actFor(token)).fetch(`${api}/`)).text();
    } catch (error) {
      return String(error);
    }
  };
}

interface Case {
  readonly issuer: string;
  readonly user: string;
  /** What the authority calls the user. Default: as the provider does in `sub`. */
  readonly named?: string;
  /** Access tokens of users. */
  readonly shapes: Readonly<Record<string, TokenShape>>;
  /** What the provider issues besides, and must not be taken. */
  readonly refused: Readonly<Record<string, readonly [shape: TokenShape, reason: string]>>;
  /** What an application gets for itself, and why it is refused. */
  readonly application: readonly [shape: TokenShape, reason: string];
}

const noType = { typ: undefined };
const jwtType = { typ: 'JWT' };
const without = (...names: string[]) => Object.fromEntries(names.map((name) => [name, undefined]));

const auth0 = {
  own: {
    header: jwtType,
    claims: ({ aud, client_id: azp }, issuer) => ({
      ...without('client_id', 'jti'),
      azp,
      aud: [aud, `${issuer}userinfo`],
      scope: 'openid profile repo:read',
    }),
  },
  rfc9068: {
    claims: ({ aud }, issuer) => ({ aud: [aud, `${issuer}userinfo`], scope: 'openid profile repo:read' }),
  },
} satisfies Record<string, TokenShape>;

const okta: TokenShape = {
  header: noType,
  claims: ({ client_id: cid, scope }) => ({
    ...without('client_id', 'scope'),
    ver: 1,
    jti: `AT.${randomUUID()}`,
    cid,
    uid: '00u1user2id3',
    scp: ['openid', 'profile', ...String(scope).split(' ')],
  }),
};

const entra: TokenShape = {
  header: { ...jwtType, x5t: undefined },
  claims: ({ client_id: azp, scope, iat }) => ({
    ...without('client_id', 'scope', 'jti'),
    azp,
    azpacr: '0',
    nbf: iat,
    aio: 'ASQA2/8TAAAA',
    oid: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
    tid: '6babcaad-604b-40ac-a9d7-9fd97c0b779f',
    uti: 'x',
    ver: '2.0',
    scp: scope,
  }),
};

const keycloak: TokenShape = {
  header: jwtType,
  claims: ({ aud, client_id: azp }) => ({
    ...without('client_id'),
    azp,
    aud: [aud, 'account'],
    typ: 'Bearer',
    acr: '1',
    realm_access: { roles: ['offline_access'] },
    scope: 'openid profile email repo:read',
    sid: randomUUID(),
    preferred_username: 'alice',
  }),
};

const changed = ({ header, claims }: TokenShape, more: Readonly<Record<string, unknown>>): TokenShape => ({
  ...(header !== undefined && { header }),
  claims: (before, issuer) => ({ ...claims(before, issuer), ...more }),
});

const cases: Readonly<Record<string, Case>> = {
  Auth0: {
    issuer: 'https://acme.eu.auth0.com/',
    user: 'auth0|6477f0',
    shapes: { 'its own profile': auth0.own, 'the profile of RFC 9068': auth0.rfc9068 },
    refused: {
      'for another API': [changed(auth0.own, { aud: 'https://other.acme.dev' }), 'does not verify'],
      'without the slash in iss': [changed(auth0.own, { iss: 'https://acme.eu.auth0.com' }), 'not trusted'],
    },
    application: [
      changed(auth0.own, { sub: `${loginClient}@clients`, gty: 'client-credentials' }),
      'that of an application',
    ],
  },
  Okta: {
    issuer: 'https://acme.okta.com/oauth2/aus1acme2dev3',
    user: 'alice@acme.dev',
    named: '00u1user2id3',
    shapes: { 'a custom authorization server': okta },
    refused: {
      'without the id of the user': [changed(okta, { uid: undefined }), "the claim 'uid'"],
      'for another API': [changed(okta, { aud: 'api://default' }), 'does not verify'],
      'of the org authorization server': [changed(okta, { iss: 'https://acme.okta.com' }), 'not trusted'],
    },
    application: [changed(okta, { uid: undefined }), 'that of an application'],
  },
  'Entra ID': {
    issuer: 'https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0',
    user: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
    named: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
    shapes: { 'version 2': entra },
    refused: {
      'of a login without the scope profile': [changed(entra, { oid: undefined }), "the claim 'oid'"],
      'of version 1': [changed(entra, { iss: 'https://sts.windows.net/6babcaad/', ver: '1.0' }), 'not trusted'],
      'with the id as a URL': [
        changed(entra, { aud: 'api://00001111-aaaa-2222-bbbb-3333cccc4444' }),
        'does not verify',
      ],
      'with an application permission': [changed(entra, { scp: undefined, roles: ['repo:read'] }), 'invalid_scope'],
    },
    application: [changed(entra, { sub: '690222be', idtyp: 'app' }), 'that of an application'],
  },
  Keycloak: {
    issuer: 'https://login.acme.dev/realms/acme',
    user: '36fa0f91-f94d-4a0c-afed-6b7d952e47da',
    shapes: {
      'typed JWT': keycloak,
      'typed at+jwt': { ...keycloak, header: { typ: 'at+jwt' } },
    },
    refused: {
      'without an audience mapper': [changed(keycloak, { aud: 'account' }), 'does not verify'],
      'to refresh': [changed(keycloak, { typ: 'Refresh' }), 'no access token'],
      'that is lightweight': [changed(keycloak, { sub: undefined }), "the claim 'sub'"],
    },
    application: [changed(keycloak, { client_id: loginClient, sub: loginClient }), 'that of an application'],
  },
};

describe.each(Object.entries(cases))('%s', (_, { issuer, user, named = user, shapes, refused, application }) => {
  async function start() {
    const { issuer: printed, ...rest } = recipe(issuer);
    const { audience } = rest;
    const idp = await startIdentityProvider({ path: new URL(printed).pathname, audience, user, scopes: ['repo:read'] });
    return { idp, actFor: await world({ issuer: idp.issuer, ...rest }) };
  }

  it('lets an agent act for a user who signed in there, by the recipe of the page', async () => {
    const { idp, actFor } = await start();
    for (const shape of Object.values(shapes))
      expect(await actFor((await idp.signIn(shape)).accessToken)).toBe(`acme:${named}`);
  });

  it('lets nobody act with another token of the provider, and says why [B3, B4, B5, B7]', async () => {
    const { idp, actFor } = await start();
    const [shape] = Object.values(shapes);
    if (shape === undefined) throw new Error('no shape');
    const { idToken } = await idp.signIn(shape);
    expect(await actFor(idToken)).toMatch(/does not verify|typ of the subject token/);
    for (const [each, reason] of Object.values(refused))
      expect(await actFor((await idp.signIn(each)).accessToken)).toContain(reason);
    // A user who granted less.
    expect(await actFor((await idp.signIn(changed(shape, { scope: 'openid', scp: 'openid' }))).accessToken)).toContain(
      'invalid_scope',
    );
    const [own, reason] = application;
    expect(await actFor(await idp.ownToken(own))).toContain(reason);
  });
});

describe('better-auth', () => {
  it('lets an agent act for a user who signed up there, by the recipe of the page', async () => {
    let handle: Parameters<typeof listen>[0] | undefined;
    const login = await listen((request, response) => handle?.(request, response));
    const external = recipe('https://login.acme.dev');
    const auth = betterAuth({
      baseURL: login,
      secret: randomUUID() + randomUUID(),
      emailAndPassword: { enabled: true },
      plugins: [
        jwt({
          jwt: {
            issuer: login,
            audience: external.audience,
            expirationTime: '5m',
            definePayload: () => ({ scope: 'repo:read' }),
          },
        }),
      ],
    });
    handle = toNodeHandler(auth);
    const signedUp = await fetch(`${login}/api/auth/sign-up/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: login },
      body: JSON.stringify({ email: 'alice@acme.dev', password: randomUUID(), name: 'Alice' }),
    });
    const { user } = (await signedUp.json()) as { user: { id: string } };
    const cookie = signedUp.headers.getSetCookie().map((set) => String(set.split(';', 1)[0]));
    const answer = await fetch(`${login}/api/auth/token`, { headers: { cookie: cookie.join('; ') } });
    const { token } = (await answer.json()) as { token: string };
    expect(decodeProtectedHeader(token)).not.toHaveProperty('typ');
    expect(decodeJwt(token)).toMatchObject({ sub: user.id, iss: login });

    const actFor = await world({ ...external, issuer: login, jwksUri: `${login}/api/auth/jwks` });
    expect(await actFor(token)).toBe(`acme:${user.id}`);
  });
});
