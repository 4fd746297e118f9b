import { expiryOf, type GrantRequest, type IssueServices } from './grants.js';
import type { IssuedToken } from './issue.js';
import { grantScope, readResource } from './narrow.js';
import { oauthError } from './oauth-error.js';

export const credentialsParameters: readonly string[] = ['scope', 'resource'];

/**
 * The grant `client_credentials`: an agent acts for itself. By hand, because the library compares scopes by name only, and
 * knows no key that a token is bound to other than that of a DPoP proof.
 */
export async function clientCredentials(request: GrantRequest, services: IssueServices): Promise<IssuedToken> {
  const { agent, parameters, thumbprint } = request;
  const resource = readResource(parameters['resource'], services.settings.resources);
  const scope = grantScope(resource, parameters['scope'], agent.capabilities);
  const issued = await services.issue({
    agent: agent.id,
    subject: agent.id,
    priorActors: [],
    resource,
    scope,
    expiresAt: expiryOf(request, services),
    thumbprint,
    ...(await request.binding()),
  });
  if (issued === undefined) throw oauthError('invalid_grant', 'the agent may not act now');
  return issued;
}
