import { createHash, timingSafeEqual } from 'node:crypto';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Consent, Consents } from '../delegation/consents.js';
import { createSealedJson, type SealedJson } from '../keys/sealed-json.js';
import type { Settings } from '../options/read-options.js';
import { taking } from '../storage/one-time.js';
import type { Statement } from '../storage/store.js';
import type { GrantServices } from './grants.js';
import { grantScope, readResource } from './narrow.js';
import { oauthError } from './oauth-error.js';

/** What an authorization code stands for. */
export interface CodeContent {
  readonly consent: string;
  readonly agent: string;
  readonly redirectUri: string;
  /** Of PKCE (RFC 7636), with S256. */
  readonly challenge: string;
}

/** Codes and refresh tokens. They are sealed, not stored: of a code only its use is remembered, of a consent its uses. */
export interface Codes {
  codeFor(content: CodeContent): string;
  redeem(ctx: KoaContextWithOIDC, services: GrantServices): Promise<void>;
  refresh(ctx: KoaContextWithOIDC, services: GrantServices): Promise<void>;
  /** The consent that a refresh token is of. */
  consentOf(refreshToken: unknown): string | undefined;
}

const codeSeconds = 60;

export const codeParameters: readonly string[] = ['code', 'redirect_uri', 'code_verifier', 'resource'];
export const refreshParameters: readonly string[] = ['refresh_token', 'scope', 'resource'];

export function createCodes(options: {
  readonly settings: Pick<Settings, 'secret' | 'issuerName'>;
  readonly consents: Consents;
  readonly now: () => number;
}): Codes {
  const { settings, consents, now } = options;
  const codes = createSealedJson(settings, 'authorization codes', now);
  const refreshTokens = createSealedJson(settings, 'refresh tokens', now);
  const consentOf = (token: unknown): string | undefined => idIn(refreshTokens, token);

  async function consentFor(id: string | undefined, agent: string): Promise<Consent> {
    const consent = id === undefined ? undefined : await consents.find(id);
    if (consent?.agent !== agent) throw refused('the user does not let this agent act, or not any more');
    return consent;
  }

  /** One token of a consent. It takes one use of the consent, and whatever else it is made from, in its transaction. */
  async function issue(
    ctx: KoaContextWithOIDC,
    services: GrantServices,
    consent: Consent,
    taken: readonly Statement[],
  ): Promise<void> {
    const { agent, key } = services.authenticated(ctx);
    const params = ctx.oidc.params ?? {};
    const { settings } = services;
    const { id, subject, audience, authorizationDetails, maxHops, expiresAt, usesLeft } = consent;
    const resource = readResource(params['resource'] ?? audience, settings.resources);
    if (resource.audience !== audience) throw oauthError('invalid_target', 'the user consented to another API');
    const issued = await services.issue({
      agent: agent.id,
      subject,
      priorActors: [],
      resource,
      scope: grantScope(resource, params['scope'], consent.scope, [agent.capabilities]),
      expiresAt: Math.min(now() + settings.tokenLifetimeSeconds, expiresAt),
      thumbprint: key.thumbprint,
      ...(await services.confirmation(ctx, key)),
      ...(authorizationDetails !== undefined && { authorizationDetails }),
      ...(maxHops !== undefined && { maxHops }),
      parentId: id,
      ancestors: [{ delegationId: id }],
      uses: [...taken, consents.takeUse(id)],
    });
    if (issued === undefined) throw refused('it was used before, or the agent may not act any more');
    ctx.body = {
      ...issued,
      ...(authorizationDetails !== undefined && { authorization_details: authorizationDetails }),
      ...(usesLeft !== 1 && { refresh_token: refreshTokens.seal({ consent: id, exp: expiresAt }) }),
    };
  }

  return {
    codeFor: (content) => codes.seal({ ...content, exp: now() + codeSeconds }),

    async redeem(ctx, services) {
      const params = ctx.oidc.params ?? {};
      const { agent } = services.authenticated(ctx);
      const code = codes.open(params['code']);
      if (code === undefined || code['agent'] !== agent.id) throw refused('the code is not valid, or not any more');
      if (code['redirectUri'] !== params['redirect_uri']) throw refused('redirect_uri is not that of the request');
      if (!verifies(params['code_verifier'], String(code['challenge']))) throw refused('code_verifier does not match');
      const consent = await consentFor(String(code['consent']), agent.id);
      await issue(ctx, services, consent, [taking('code', consent.id, Number(code['exp']))]);
    },

    async refresh(ctx, services) {
      const { agent } = services.authenticated(ctx);
      const consent = await consentFor(consentOf(ctx.oidc.params?.['refresh_token']), agent.id);
      await issue(ctx, services, consent, []);
    },

    consentOf,
  };
}

function idIn(sealed: SealedJson, token: unknown): string | undefined {
  const id = sealed.open(token)?.['consent'];
  return typeof id === 'string' ? id : undefined;
}

/** RFC 7636 §4.6. */
function verifies(verifier: unknown, challenge: string): boolean {
  if (typeof verifier !== 'string' || !/^[A-Za-z0-9\-._~]{43,128}$/.test(verifier)) return false;
  const digest = Buffer.from(createHash('sha256').update(verifier).digest('base64url'));
  return digest.length === challenge.length && timingSafeEqual(digest, Buffer.from(challenge));
}

function refused(detail: string): Error {
  return oauthError('invalid_grant', detail);
}
