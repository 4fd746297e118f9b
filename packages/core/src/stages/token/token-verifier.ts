import { hash as digest } from 'node:crypto';
import {
  checkAudience,
  checkTimes,
  type ClaimsRefusalCode,
  type DelegationClaims,
  isIdentifier,
  readClaims,
} from '@countersign/delegation';
import {
  andThen,
  type Awaitable,
  bytesHeld,
  checkOptionNames,
  ConfigError,
  deepFreeze,
  guardMaxima,
  integerOption,
  type JsonObject,
  LruCache,
  maxBytesRemembered,
  member,
  numberOption,
  quoteForLog,
} from '@countersign/common';
import type { RefusalCode } from '../../model/refusal.js';
import { findKey, signatureVerifies } from './issuer-signature.js';
import { type IssuerOptions, readIssuers, type TrustedIssuer } from './issuers.js';
import { gateAccessToken, type UntrustedToken } from './jws-gate.js';

export interface TokenVerifierOptions {
  /** Who may issue tokens. */
  readonly issuers: readonly IssuerOptions[];
  /** What a token's `aud` must name at least one of. */
  readonly audiences: readonly string[];
  /** How far the issuers' clocks may be from ours, in seconds. */
  readonly clockSkewSeconds: number;
  /**
   * Most verified tokens remembered, so that their signature is verified once; also never more than about 32 MiB of
   * them. 0 remembers none. Default 10 000.
   */
  readonly cacheSize?: number;
}

/** A token that a trusted issuer signed, for us, and that counts now. Frozen. */
export interface VerifiedToken {
  /** What it says; `subject` is already within the issuer's namespace. */
  readonly claims: DelegationClaims;
  /** The issuer's `subjectNamespace`; empty if it has none. */
  readonly namespace: string;
  /** Its `client_id` within that namespace. Undefined without one, and if that is no name or one of another issuer's. */
  readonly client: string | undefined;
  readonly issuer: TrustedIssuer;
  /** base64url SHA-256 of the token as it was sent. */
  readonly hash: string;
}

export interface TokenRefusal {
  readonly ok: false;
  readonly code: RefusalCode;
  /** For logs only. Of a token that did not verify it says at most whose it claims to be, and that this is unverified. */
  readonly detail: string;
}

export type TokenResult = { readonly ok: true; readonly token: VerifiedToken } | TokenRefusal;

/** Verifies access tokens (RFC 9068) that may state a delegation (RFC 8693). */
export interface TokenVerifier {
  /**
   * Never rejects. `nowSeconds` is unix seconds; `audiences` of this request, unless the issuer has its own. Default: those
   * of the verifier.
   */
  verify(token: string, nowSeconds: number, audiences?: readonly string[]): Awaitable<TokenResult>;
}

/** What a token is asked, besides its signature. */
interface Asked {
  readonly now: number;
  readonly audiences: readonly string[];
}

interface Remembered {
  readonly token: VerifiedToken;
  readonly generation: number;
}

/**
 * @throws ConfigError when an option is wrong.
 *
 * @example
 * const tokens = createTokenVerifier({
 *   issuers: [{ issuer: 'https://id.acme.dev', jwksUri: 'https://id.acme.dev/jwks' }],
 *   audiences: ['https://api.acme.dev'],
 *   clockSkewSeconds: 5,
 * });
 * const result = await tokens.verify(token, Date.now() / 1000);
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { issuers, audiences: all, clockSkewSeconds, cacheSize } = readOptions(options);
  const remembered = new LruCache<Remembered>(cacheSize, maxBytesRemembered);
  const namespaces = [...issuers.values()].map(({ namespace }) => namespace).filter((namespace) => namespace !== '');

  function verify(text: string, now: number, audiences: readonly string[] = all): Awaitable<TokenResult> {
    const hash = digest('sha256', text, 'base64url');
    const known = remembered.get(hash);
    if (known === undefined) return verifyNew(text, hash, { now, audiences });
    return andThen(known.token.issuer.keys.current(now), (held) => {
      if (held.kind === 'unavailable') return refuse('issuer_unavailable', held.cause);
      // Other keys than those it was verified with: the one that signed it may be gone.
      if (held.generation === known.generation) return checkNow(known.token, { now, audiences });
      remembered.delete(hash);
      return verifyNew(text, hash, { now, audiences });
    });
  }

  async function verifyNew(text: string, hash: string, asked: Asked): Promise<TokenResult> {
    const { now } = asked;
    const gated = gateAccessToken(text);
    if (!gated.ok) return gated;
    const issuer = claimedIssuer(gated.token);
    if (issuer === undefined) return refuse('token_issuer_unknown', strangeIssuer(gated.token));
    const { header, payload } = gated.token;
    if (!issuer.algorithms.includes(header.alg))
      return refuse('token_invalid', 'its alg is not allowed for this issuer');
    const found = await findKey(issuer, header, now);
    if (!found.ok) return found;
    if (!(await signatureVerifies(text, found.key, header.alg)))
      return refuse('token_invalid', 'its signature does not verify');

    const read = readPayload(payload, issuer, hash);
    if (!read.ok) return read;
    const checked = checkNow(read.token, asked);
    // Only success is remembered, and only what depends neither on the moment nor on the audience: a token is never bad for ever.
    if (checked.ok && cacheSize > 0) {
      remembered.set(hash, { token: read.token, generation: found.generation }, bytesHeld(read.token.claims));
    }
    return checked;
  }

  /** The claim is not verified: it only selects whose keys to verify with. Those of another issuer never are. */
  function claimedIssuer({ payload }: UntrustedToken): TrustedIssuer | undefined {
    const iss = member(payload, 'iss');
    return typeof iss === 'string' ? issuers.get(iss) : undefined;
  }

  function strangeIssuer({ payload }: UntrustedToken): string {
    const iss = member(payload, 'iss');
    const trusted = issuers.size === 0 ? 'none' : quoteForLog([...issuers.keys()]);
    return `its iss, unverified, is ${typeof iss === 'string' ? quoteForLog(iss) : 'not a text'}; trusted here: ${trusted}`;
  }

  /** Reads the payload whose signature has been verified. */
  function readPayload(payload: JsonObject, issuer: TrustedIssuer, hash: string): TokenResult {
    const read = readClaims(payload);
    if (!read.ok) return refuse(codeOf(read.code), read.detail);
    const { subject, actor, priorActors, clientId } = read.claims;
    const { namespace } = issuer;
    const named = [subject, ...(actor === undefined ? [] : [actor, ...priorActors]).map((agent) => agent.subject)];
    if (!named.every((name) => mayName(namespace, name))) {
      return refuse('token_invalid', 'a name in it is none that its issuer may give');
    }
    // A client is a caller only of a token alone, so a name that is none here refuses only that.
    const client = clientId !== undefined && mayName(namespace, clientId) ? namespace + clientId : undefined;
    const claims = deepFreeze({ ...read.claims, subject: namespace + subject });
    return { ok: true, token: Object.freeze({ claims, namespace, client, issuer, hash }) };
  }

  /** Whether an issuer may speak of somebody by this name. */
  function mayName(namespace: string, name: string): boolean {
    // Without a namespace of its own, it could otherwise name those of another.
    if (namespace === '' && namespaces.some((other) => name.startsWith(other))) return false;
    // A leading combining mark could merge with the namespace under NFC.
    return isIdentifier(namespace + name);
  }

  /** What depends on the moment; for whom it is comes first, because a token for others says nothing to us. */
  function checkNow(token: VerifiedToken, { now, audiences }: Asked): TokenResult {
    const { maxLifetimeSeconds } = token.issuer;
    const accepted = token.issuer.audiences ?? audiences;
    if (checkAudience(token.claims, accepted) !== undefined) {
      const { audience } = token.claims;
      return refuse(
        'token_audience_mismatch',
        `it is for ${quoteForLog(audience)}; accepted here: ${quoteForLog(accepted)}`,
      );
    }
    const untimely = checkTimes(token.claims, { now, clockSkewSeconds, maxLifetimeSeconds });
    if (untimely === undefined) return { ok: true, token };
    const tooLong = untimely.code === 'token_lifetime_too_long';
    return refuse(tooLong ? 'token_invalid' : 'token_expired', untimely.detail);
  }

  return { verify };
}

/** What is wrong with the delegation is told apart from what is wrong with any token. */
function codeOf(code: ClaimsRefusalCode): RefusalCode {
  switch (code) {
    case 'actor_malformed':
    case 'actor_issuer_mismatch':
    case 'actor_is_subject':
    case 'actor_repeated':
    case 'subject_is_client':
    case 'delegation_too_deep':
      return 'token_delegation_invalid';
    default:
      return 'token_invalid';
  }
}

function readOptions(options: TokenVerifierOptions): Required<Omit<TokenVerifierOptions, 'issuers'>> & {
  readonly issuers: ReadonlyMap<string, TrustedIssuer>;
} {
  checkOptionNames('createTokenVerifier', options, ['issuers', 'audiences', 'clockSkewSeconds', 'cacheSize']);
  const { audiences, clockSkewSeconds, cacheSize = 10_000 } = options;
  if (
    !Array.isArray(audiences) ||
    audiences.length === 0 ||
    audiences.some((audience) => typeof audience !== 'string' || audience === '')
  ) {
    throw new ConfigError("createTokenVerifier: 'audiences' must name at least one audience.");
  }
  numberOption('createTokenVerifier', 'clockSkewSeconds', clockSkewSeconds, 0, guardMaxima.clockSkewSeconds);
  integerOption('createTokenVerifier', 'cacheSize', cacheSize, 0);
  return { issuers: readIssuers(options.issuers), audiences: [...audiences], clockSkewSeconds, cacheSize };
}

function refuse(code: RefusalCode, detail: string): TokenRefusal {
  return { ok: false, code, detail };
}
