import { createPublicKey } from 'node:crypto';
import { isJsonObject, member } from '@countersign/common';
import { ancestorsByExchange, readClaims } from '@countersign/delegation';
import { errors as joseErrors, type JWTPayload, jwtVerify } from 'jose';
import type { SigningKeys } from '../keys/signing-keys.js';
import type { ExternalIssuerOptions } from '../options/authority-options.js';
import { verifyExternal } from './external-token.js';
import { keysOfIssuer } from './issuer-keys.js';
import type { Ledger } from './ledger.js';
import { failed, type SubjectTokenReading } from './subject-token-reading.js';

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
      limits: claims,
      holder: entry.actor,
      claims,
      ancestors: ancestorsByExchange(claims),
    },
  };
}
