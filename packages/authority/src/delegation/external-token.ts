import { type JsonObject, isJsonObject, member } from '@countersign/common';
import { isIdentifier, isOfApplication, parseScope, readClaims, type Scope } from '@countersign/delegation';
import { decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import type { ExternalIssuerOptions } from '../options/authority-options.js';
import { longestGrantSeconds } from '../storage/sweeper.js';
import { IssuerUnavailable, type ResolveKey } from './issuer-keys.js';
import { failed, type SubjectTokenReading } from './subject-token-reading.js';

const clockSkewSeconds = 5;
const defaultAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256'];

/**
 * Verifies a token of an identity provider.
 *
 * @throws IssuerUnavailable
 */
export async function verifyExternal(
  token: string,
  {
    issuer,
    audience,
    algorithms = defaultAlgorithms,
    tokenTypes = ['at+jwt'],
    scopeClaim = 'scope',
    subjectNamespace,
    subjectClaim = 'sub',
  }: ExternalIssuerOptions,
  resolve: ResolveKey,
  now: number,
): Promise<SubjectTokenReading> {
  let payload: JWTPayload;
  try {
    if (!hasType(token, tokenTypes)) return failed('the typ of the subject token is not accepted');
    const verified = await jwtVerify(token, resolve, {
      issuer,
      audience,
      algorithms: [...algorithms],
      currentDate: new Date(now * 1000),
      clockTolerance: clockSkewSeconds,
      requiredClaims: ['exp'],
    });
    payload = verified.payload;
  } catch (error) {
    if (error instanceof IssuerUnavailable) throw error;
    return failed('the subject token does not verify');
  }
  const { iat, exp = 0 } = payload;
  if (iat === undefined) return failed('the subject token has no iat');
  if (iat > now + clockSkewSeconds) return failed('the iat of the subject token is in the future');
  // An end is not remembered longer.
  if (exp - iat > longestGrantSeconds) return failed('the subject token lives longer than 30 days');
  if (isOtherToken(payload)) return failed('the subject token is no access token');
  const user = member(payload, subjectClaim);
  if (isOfApplication(payload, [payload.sub, user]))
    return failed('the subject token is that of an application, and names no user');
  const subject = isIdentifier(user) ? `${subjectNamespace}${user}` : undefined;
  if (!isIdentifier(subject)) return failed(`the claim '${subjectClaim}' of the subject token names nobody`);
  // Its actors are of another namespace than ours: without them the token would lose an actor.
  if (payload['act'] !== undefined)
    return failed('a subject token of another issuer that has an actor cannot be exchanged');
  // Whether it still counts would have to be asked.
  if (payload['status'] !== undefined)
    return failed('a subject token of another issuer that has a status cannot be exchanged');
  const limits = limitsIn(payload, { iss: issuer, aud: audience, sub: subject });
  if (!limits.ok) return failed(`a limit of the subject token cannot be read: ${limits.detail}`);
  const { confirmation: boundTo } = limits.claims;
  const { jti } = payload;
  const mayAct = payload['may_act'];
  const may = isJsonObject(mayAct) && Object.keys(mayAct).length === 1 ? member(mayAct, 'sub') : undefined;
  if (mayAct !== undefined && typeof may !== 'string') {
    // With `iss`, it is somebody of another issuer.
    return failed("the may_act of the subject token has more than a 'sub', or none");
  }
  return {
    ok: true,
    token: {
      issuer,
      subjectIssuer: issuer,
      subject,
      scope: scopeOf(payload, scopeClaim),
      expiresAt: Math.floor(exp),
      limits: limits.claims,
      ...(boundTo !== undefined && { boundTo: boundTo.jkt }),
      issuedAt: Math.max(0, Math.floor(iat)),
      ancestors: [
        {
          issuer,
          ...(isIdentifier(jti) && { delegationId: jti }),
          ...(boundTo !== undefined && { keyId: boundTo.jkt }),
        },
      ],
      ...(typeof may === 'string' && { mayAct: may }),
    },
  };
}

const limitNames = ['authorization_details', 'max_hops', 'scope_match', 'cnf'];

/** Reads the claims that limit a token as strictly as those of our own tokens: a limit that is ignored would grant more. */
function limitsIn(payload: JWTPayload, names: object): ReturnType<typeof readClaims> {
  const limits = Object.fromEntries(limitNames.map((name) => [name, payload[name]]));
  return readClaims({ ...limits, ...names, exp: Math.floor(payload.exp ?? 0) });
}

/** Members that ID tokens, refresh tokens and logout tokens have. Where all are typed `JWT`, the audience may be all that differs. */
function isOtherToken(payload: JsonObject): boolean {
  const typ = payload['typ'];
  return (
    ['at_hash', 'c_hash', 'events'].some((name) => name in payload) || (typeof typ === 'string' && typ !== 'Bearer')
  );
}

function hasType(token: string, accepted: readonly string[]): boolean {
  const { typ = '' } = decodeProtectedHeader(token);
  const name = typ.toLowerCase().replace(/^application\//, '');
  return accepted.some((type) => type.toLowerCase() === name);
}

/** A text, or a list as some providers write it. What is no scope grants nothing, and takes nothing from the others. */
function scopeOf(payload: JsonObject, claim: string): Scope {
  const value = payload[claim];
  const names: readonly unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  const scopes = names.filter((name): name is string => typeof name === 'string' && !name.includes(' '));
  const read = parseScope(scopes.filter((name) => parseScope(name).ok).join(' '));
  return read.ok ? read.scope : [];
}
