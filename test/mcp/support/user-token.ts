import { accessToken, type Claims } from '../../support/tokens.js';
import { issuer, userId } from '../../support/world.js';

/** A token with which `alice` acts for the user. Without an actor it is a plain bearer token of the client. */
export async function tokenForTheUser(audience: string, more: Claims = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer.issuer, aud: audience, sub: userId, act: { sub: 'alice' }, scope: 'mcp' };
  return await accessToken(issuer, {
    ...claims,
    iat: now,
    exp: now + 300,
    jti: crypto.randomUUID(),
    client_id: 'countersign-tests',
    ...more,
  });
}
