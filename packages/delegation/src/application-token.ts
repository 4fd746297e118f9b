import { type JsonObject, member } from './json.js';

/** What `sub_profile` says of a subject that is an agent (draft-mora-oauth-entity-profiles). */
export const agentProfile = 'ai_agent';

/** Claims in which issuers name the client: RFC 9068, OpenID Connect, Entra ID (v1), Okta. */
const clientClaims = ['client_id', 'azp', 'appid', 'cid'];

/**
 * Whether a token is of what got it for itself, an agent or another application, and no user stands behind it: by the marks
 * of RFC 9068 §2.2, Okta (`cid`), Auth0 (`gty`, or `CLIENT@clients`), Entra ID (`idtyp`), Keycloak (the login of a service
 * account), and by `sub_profile`. `names` is what the token calls its subject.
 */
export function isOfApplication(payload: JsonObject, names: readonly unknown[] = [member(payload, 'sub')]): boolean {
  const profile = member(payload, 'sub_profile');
  if (typeof profile === 'string' && profile.split(' ').includes(agentProfile)) return true;
  if (member(payload, 'idtyp') === 'app' || [member(payload, 'gty')].flat().includes('client-credentials')) return true;
  // Entra ID without `idtyp`: only a token of an application has no scope, and its own object as subject.
  const oid = member(payload, 'oid');
  if (oid !== undefined && oid === member(payload, 'sub') && member(payload, 'scp') === undefined) return true;
  const clients = clientClaims.map((name) => member(payload, name)).filter((id) => typeof id === 'string');
  const login = member(payload, 'preferred_username');
  return clients.some(
    (id) => [id, `${id}@clients`].some((own) => names.includes(own)) || login === `service-account-${id}`,
  );
}
