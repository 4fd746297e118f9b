import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Configuration, errors, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { approvalDetailsType } from '@countersign/approval';
import type { AgentRegistry } from '../agents/registry.js';
import type { ApprovalQueue } from '../approvals/queue.js';
import type { Ledger } from '../delegation/ledger.js';
import { idOfOwnToken, type SubjectTokens } from '../delegation/subject-token.js';
import { deriveKey } from '../keys/seal.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import type { Settings } from '../options/read-options.js';
import { takeOnce } from '../storage/one-time.js';
import { createCiba, type Ciba } from './ciba.js';
import { type AuthenticatedAgent, authenticateAgent, backchannel, clientOf, tokenExchange } from './client-agent.js';
import { clientCredentials, credentialsParameters } from './client-credentials.js';
import { type Codes, codeParameters, refreshParameters } from './code.js';
import { answerGrant, bindToken, type GrantServices } from './grants.js';
import type { IssueToken } from './issue.js';
import { ledgerTokens } from './ledger-tokens.js';
import { createModelAdapter } from './model-adapter.js';
import { exchangeParameters, exchangeToken } from './token-exchange.js';

/** What the OAuth endpoints need. */
export interface EngineServices {
  readonly settings: Settings;
  /** A request failed through a fault of ours. */
  readonly onFailure: (error: unknown) => void;
  readonly agents: AgentRegistry;
  readonly ledger: Ledger;
  readonly keys: SigningKeys;
  readonly issue: IssueToken;
  readonly subjectTokens: SubjectTokens;
  readonly codes: Codes;
  /** Undefined: there are no approvals. */
  readonly queue: ApprovalQueue | undefined;
  readonly now: () => number;
}

/** The OAuth endpoints, by `oidc-provider`. Paths are below the issuer. */
export interface Engine {
  /** Whether a path is one of them, as it is written: the library's own router ignores case, and has more. */
  has(path: string): boolean;
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

const routes = {
  token: '/token',
  introspection: '/introspect',
  revocation: '/revoke',
  jwks: '/jwks',
  backchannel_authentication: '/backchannel',
};
const paths: ReadonlySet<string> = new Set([
  ...Object.values(routes),
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
]);

/**
 * The library reads its keys once, so each change of the keys takes a new instance, which costs some milliseconds. All state
 * is in the store.
 */
export function createEngine(services: EngineServices): Engine {
  let held: { readonly keys: string; readonly handle: ReturnType<Provider['callback']> } | undefined;

  function current(): ReturnType<Provider['callback']> {
    const published = services.keys.published(services.now());
    const keys = published.map(({ kid }) => kid).join(' ');
    if (held?.keys !== keys) held = { keys, handle: createProvider(services).callback() };
    return held.handle;
  }

  // At the start, so that the first request does not wait for it.
  current();
  return {
    has: (path) => paths.has(path),
    handle: async (request, response) => await current()(request, response),
  };
}

function createProvider(services: EngineServices): Provider {
  const { settings, agents, ledger, keys, now } = services;
  const issuer = settings.issuerName;
  const authenticated = new WeakMap<object, AuthenticatedAgent>();

  function authenticatedOf(ctx: KoaContextWithOIDC): AuthenticatedAgent {
    const found = authenticated.get(ctx);
    if (found === undefined) throw new Error('a grant runs without an authenticated agent');
    return found;
  }

  async function afterAssertion(ctx: KoaContextWithOIDC, claims: object): Promise<void> {
    const assertion = String(ctx.oidc.params?.['client_assertion']);
    authenticated.set(ctx, await authenticateAgent(assertion, { ...claims }, { agents, issuer, now }));
    await referById(ctx);
  }

  /** Introspection and revocation of the library refuse JWTs. Ours are known by their id, a refresh token by its consent. */
  async function referById(ctx: KoaContextWithOIDC): Promise<void> {
    const { params } = ctx.oidc;
    if (params === undefined || (ctx.oidc.route !== 'introspection' && ctx.oidc.route !== 'revocation')) return;
    const token = String(params['token']);
    const revokes = ctx.oidc.route === 'revocation';
    if (revokes) await services.queue?.withdraw(token, authenticatedOf(ctx).agent.id);
    const consent = revokes ? services.codes.consentOf(token) : undefined;
    params['token'] = consent ?? (await idOfOwnToken(token, keys, issuer, now())) ?? 'unknown';
  }

  const ciba =
    services.queue && createCiba({ ...services, queue: services.queue, issuer, authenticated: authenticatedOf });
  const provider = new Provider(issuer, configurationOf(services, afterAssertion, ciba));
  // Addresses are those of the issuer, which the listener writes into these fields, never those that a client sends.
  provider.proxy = true;
  Object.defineProperties(provider, {
    AccessToken: { value: ledgerTokens(provider, ledger) },
    // The library looks first and writes later, so that of many uses at once several would pass.
    ReplayDetection: {
      value: {
        unique: (iss: string, jti: string, expiresAt: number) =>
          takeOnce(settings.store, 'assertion', digest(`${iss}\n${jti}`), Math.ceil(expiresAt)),
      },
    },
  });
  // The authorization endpoint is by hand, in `pages`; without users there is none.
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route !== 'discovery') return;
    Object.assign(Object(ctx.body), {
      response_modes_supported: ['query'],
      scopes_supported: undefined,
      ...(settings.users === undefined && { authorization_endpoint: undefined }),
      ...(settings.spiffe !== undefined && {
        token_endpoint_auth_methods_supported: ['private_key_jwt', 'spiffe_jwt'],
      }),
    });
  });
  provider.on('server_error', (_ctx, error) => services.onFailure(error));

  const grants: GrantServices & { readonly agents: AgentRegistry } = {
    ...services,
    authenticated: authenticatedOf,
    confirmation: (ctx, key) => bindToken(provider, ctx, key),
  };
  provider.registerGrantType(
    'client_credentials',
    (ctx) => answerGrant(ctx, grants, (request) => clientCredentials(request, grants)),
    [...credentialsParameters],
  );
  const { codes } = services;
  provider.registerGrantType('authorization_code', (ctx) => codes.redeem(ctx, grants), [...codeParameters]);
  provider.registerGrantType('refresh_token', (ctx) => codes.refresh(ctx, grants), [...refreshParameters]);
  provider.registerGrantType(
    tokenExchange,
    (ctx) => answerGrant(ctx, grants, (request) => exchangeToken(request, grants)),
    [...exchangeParameters],
  );
  if (ciba !== undefined) provider.registerGrantType(backchannel, (ctx) => ciba.poll(ctx), ['auth_req_id']);
  return provider;
}

function configurationOf(
  { settings, agents, keys, now }: EngineServices,
  afterAssertion: (ctx: KoaContextWithOIDC, claims: object) => Promise<void>,
  ciba: Ciba | undefined,
): Configuration {
  const { store, resources } = settings;
  const issuer = settings.issuerName;
  const algorithms = ['EdDSA', 'Ed25519'] as const;
  return {
    adapter: (model) =>
      createModelAdapter(
        model,
        store,
        async (id) => {
          const agent = await agents.get(id);
          return agent === undefined ? undefined : clientOf(agent, now(), { approvals: ciba !== undefined });
        },
        now,
      ),
    jwks: {
      // Without `alg`: both names of the algorithm then verify with it (RFC 9864).
      keys: keys
        .published(now())
        .map(({ privateKey, kid }) => ({ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig' })),
    },
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: {
      clientAuthSigningAlgValues: [...algorithms],
      dPoPSigningAlgValues: [...algorithms, 'ES256'],
      idTokenSigningAlgValues: [...algorithms],
    },
    clientDefaults: { id_token_signed_response_alg: 'EdDSA', grant_types: [], response_types: [] },
    assertJwtClientAuthClaimsAndHeader: async (ctx, claims) => await afterAssertion(ctx, claims),
    responseTypes: ['code'],
    scopes: ['openid'],
    pkce: { required: () => true },
    cookies: { keys: [deriveKey(settings.secret, 'cookies').toString('base64url')] },
    ttl: { AccessToken: settings.tokenLifetimeSeconds, BackchannelAuthenticationRequest: 60 },
    ...(ciba !== undefined && { extraParams: ['authorization_details'], findAccount: approvers }),
    routes: { ...routes, authorization: '/authorize' },
    features: {
      clientCredentials: { enabled: true },
      ...(ciba !== undefined && { ciba: ciba.feature }),
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) =>
          token.clientId === client.clientId ||
          resources.some(
            ({ audience, introspectedBy }) =>
              'aud' in token && audience === token.aud && introspectedBy?.includes(client.clientId) === true,
          ),
      },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        // RFC 8693 §2.1 lets an exchange name its API by `audience` as well.
        defaultResource: (ctx) => {
          const audience = ctx.oidc.params?.['audience'];
          return typeof audience === 'string' ? audience : resources[0].audience;
        },
        // Asked for by CIBA alone.
        getResourceServerInfo: (_ctx, audience) => {
          if (resources.some((one) => one.audience === audience)) return { scope: '' };
          throw new errors.InvalidTarget();
        },
      },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
    },
    discovery: {
      registration_endpoint: `${issuer}/register`,
      authorization_details_types_supported: ciba === undefined ? undefined : [approvalDetailsType],
      ...(ciba !== undefined && { approval_endpoint: `${issuer}/approval` }),
    },
  };
}

/** CIBA wants an account. Ours is whoever may decide. */
function approvers(_ctx: unknown, accountId: string): { accountId: string; claims: () => { sub: string } } {
  return { accountId, claims: () => ({ sub: accountId }) };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
