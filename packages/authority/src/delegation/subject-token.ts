import { createPublicKey } from 'node:crypto';
import { type JsonObject, isJsonObject, member } from '@countersign/common';
import { type DelegationClaims, isIdentifier, parseScope, readClaims, type Scope } from '@countersign/delegation';
import { decodeProtectedHeader, errors as joseErrors, type JWTPayload, jwtVerify } from 'jose';
import type { SigningKeys } from '../keys/signing-keys.js';
import type { ExternalIssuerOptions } from '../options/authority-options.js';
import { longestGrantSeconds } from '../storage/sweeper.js';
import { IssuerUnavailable, keysOfIssuer, type ResolveKey } from './issuer-keys.js';
import type { Ledger } from './ledger.js';

/** A token that may be exchanged, verified and in force. */
export interface SubjectToken {
  /** Who issued it. */
  readonly issuer: string;
  /** Who issued the token that the first hop was made from. */
  readonly subjectIssuer: string;
  /** Within the namespace of its issuer. */
  readonly subject: string;
  readonly scope: Scope;
  readonly expiresAt: number;
  /** The `iat` of a token of another issuer. */
  readonly issuedAt?: number;
  /** The agent to which it was issued; absent for a token of a user. */
  readonly holder?: string;
  /** Of a token of this authority. */
  readonly claims?: DelegationClaims;
  /** The one agent that may act (RFC 8693 §4.4), if the token says so. */
  readonly mayAct?: string;
}

export type SubjectTokenReading =
  | { readonly ok: true; readonly token: SubjectToken }
  | { readonly ok: false; readonly problem: string };

export interface SubjectTokens {
  /** @throws IssuerUnavailable or StoreUnavailable, for 503. */
  verify(token: string): Promise<SubjectTokenReading>;
}

export interface SubjectTokenOptions {
  readonly issuer: string;
  readonly keys: SigningKeys;
  readonly ledger: Ledger;
  readonly externalIssuers: readonly ExternalIssuerOptions[];
  readonly now: () => number;
}

const longestToken = 16_384;
const clockSkewSeconds = 5;
const defaultAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256'];

export function createSubjectTokens(options: SubjectTokenOptions): SubjectTokens {
  const { issuer, externalIssuers } = options;
  const external = new Map(
    externalIssuers.map((each) => [each.issuer, { options: each, resolve: keysOfIssuer(each) }]),
  );

  return {
    async verify(token) {
      const claimed = claimedIssuer(token);
      if (claimed === undefined) return failed('the subject token is no JWT');
      if (claimed === issuer) return await verifyOwn(token, options);
      const known = external.get(claimed);
      if (known === undefined) return failed('the issuer of the subject token is not trusted');
      return await verifyExternal(token, known.options, known.resolve, options.now());
    },
  };
}

/** Not verified: it only selects whose keys to verify with. */
function claimedIssuer(token: string): string | undefined {
  const [, payload = ''] = token.split('.', 3);
  if (token.length > longestToken) return undefined;
  try {
    const read: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const iss = isJsonObject(read) ? member(read, 'iss') : undefined;
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

/** The id of a token that this authority signed, also of an expired one. Undefined: it signed no such token. */
export async function idOfOwnToken(
  token: string,
  keys: SigningKeys,
  issuer: string,
  now: number,
): Promise<string | undefined> {
  const payload = await verifyOwnSignature(token, keys, issuer, now);
  return typeof payload?.jti === 'string' ? payload.jti : undefined;
}

async function verifyOwnSignature(
  token: string,
  keys: SigningKeys,
  issuer: string,
  now: number,
): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = keys.published(now).find((each) => each.kid === kid);
        if (key === undefined) throw new joseErrors.JWKSNoMatchingKey();
        return createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' });
      },
      { issuer, typ: 'at+jwt', algorithms: ['EdDSA', 'Ed25519'], currentDate: new Date(0) },
    );
    return payload;
  } catch {
    return undefined;
  }
}

async function verifyOwn(
  token: string,
  { keys, issuer, ledger, now }: SubjectTokenOptions,
): Promise<SubjectTokenReading> {
  const payload = await verifyOwnSignature(token, keys, issuer, now());
  const read = payload === undefined ? undefined : readClaims(payload);
  if (read === undefined || !read.ok) return failed('the subject token is not one of this authority');
  const { claims } = read;
  const entry = claims.id === undefined ? undefined : await ledger.find(claims.id);
  if (entry === undefined) return failed('the subject token has expired, or was revoked');
  return {
    ok: true,
    token: {
      issuer,
      subjectIssuer: entry.issuer,
      subject: claims.subject,
      scope: claims.scope,
      expiresAt: claims.expiresAt,
      holder: entry.actor,
      claims,
    },
  };
}

async function verifyExternal(
  token: string,
  {
    issuer,
    audience,
    algorithms = defaultAlgorithms,
    tokenTypes = ['at+jwt'],
    scopeClaim = 'scope',
    subjectNamespace,
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
      requiredClaims: ['exp', 'sub'],
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
  if (isOfApplication(payload)) return failed('the subject token is that of an application, and names no user');
  const subject = `${subjectNamespace}${String(payload.sub)}`;
  if (!isIdentifier(subject)) return failed('the sub of the subject token is no name');
  // Its actors are of another namespace than ours: without them the token would lose an actor.
  if (payload['act'] !== undefined)
    return failed('a subject token of another issuer that has an actor cannot be exchanged');
  const mayAct = payload['may_act'];
  const may = isJsonObject(mayAct) ? member(mayAct, 'sub') : undefined;
  if (mayAct !== undefined && typeof may !== 'string') return failed('the may_act of the subject token is malformed');
  return {
    ok: true,
    token: {
      issuer,
      subjectIssuer: issuer,
      subject,
      scope: scopeOf(payload, scopeClaim),
      expiresAt: exp,
      issuedAt: Math.max(0, Math.floor(iat)),
      ...(typeof may === 'string' && { mayAct: may }),
    },
  };
}

/** Members that ID tokens, refresh tokens and logout tokens have. Where all are typed `JWT`, the audience may be all that differs. */
function isOtherToken(payload: JsonObject): boolean {
  const typ = payload['typ'];
  return (
    ['at_hash', 'c_hash', 'events'].some((name) => name in payload) || (typeof typ === 'string' && typ !== 'Bearer')
  );
}

/** What an application got for itself, by the marks of RFC 9068 §2.2, Okta (`cid`), Auth0 (`gty`) and Entra ID (`idtyp`). */
function isOfApplication(payload: JsonObject): boolean {
  const { sub, gty, idtyp } = payload;
  const isClient = ['client_id', 'azp', 'appid', 'cid'].some((name) => payload[name] === sub);
  return isClient || idtyp === 'app' || [gty].flat().includes('client-credentials');
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

function failed(problem: string): SubjectTokenReading {
  return { ok: false, problem };
}
