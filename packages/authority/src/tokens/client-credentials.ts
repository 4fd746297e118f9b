import type { KoaContextWithOIDC } from 'oidc-provider';
import type { GrantServices } from './grants.js';
import { grantScope, readResource } from './narrow.js';
import { oauthError } from './oauth-error.js';

/**
 * The grant `client_credentials`: an agent acts for itself. By hand, because the library compares scopes by name only, and
 * knows no key that a token is bound to other than that of a DPoP proof.
 */
export async function clientCredentials(ctx: KoaContextWithOIDC, services: GrantServices): Promise<void> {
  const { agent, key } = services.authenticated(ctx);
  const params = ctx.oidc.params ?? {};
  const resource = readResource(params['resource'], services.settings.resources);
  const scope = grantScope(params['scope'], agent.capabilities, [resource.scopes]);
  const issued = await services.issue({
    agent: agent.id,
    subject: agent.id,
    priorActors: [],
    audience: resource.audience,
    scope,
    expiresAt: services.now() + services.settings.tokenLifetimeSeconds,
    thumbprint: key.thumbprint,
    ...(await services.confirmation(ctx, key)),
  });
  if (issued === undefined) throw oauthError('invalid_grant', 'the agent may not act now');
  ctx.body = issued;
}
