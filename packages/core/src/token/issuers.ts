import { isIdentifier } from '@countersign/delegation';
import { checkOptionNames, ConfigError } from '../config-error.js';
import { isLoopback } from '../http/origin.js';
import { isJsonObject } from '../json/strict-json.js';
import { CachedRemote, type Source } from '../keys/cached-remote.js';
import type { PublicJwk } from '../keys/public-jwk.js';
import { fetchJson, type RemoteOptions, readRemoteUrl } from '../keys/remote-json.js';
import { type IssuerKey, readIssuerKeySet } from './issuer-key.js';
import { defaultAlgorithms, isSignatureAlgorithm, signatureAlgorithms } from './signature-algorithms.js';

/** Who may issue tokens. Exactly one of `jwks` and `jwksUri`. */
export interface IssuerOptions extends RemoteOptions {
  /** Its name, compared character for character with a token's `iss`. An https URL; http on loopback only. */
  readonly issuer: string;
  /** Its public keys, if they are known here. */
  readonly jwks?: { readonly keys: readonly PublicJwk[] };
  /**
   * Where its public keys are: `jwks_uri` in its metadata, `/.well-known/openid-configuration` or
   * `/.well-known/oauth-authorization-server`. Cached for 5 minutes, and for an hour while it cannot be reached.
   */
  readonly jwksUri?: string;
  /** What it may sign with. Default Ed25519 (also called EdDSA), ES256, ES384, PS256 and RS256. */
  readonly algorithms?: readonly string[];
  /** Longest lifetime (`exp` minus `iat`) accepted, in seconds. Default 3600. */
  readonly maxLifetimeSeconds?: number;
  /**
   * Put before each `sub`, so that `sub` values of two issuers never mean the same person by accident. Needed by every
   * issuer but one. Default: nothing.
   */
  readonly subjectNamespace?: string;
  /**
   * How long one of its status lists goes on counting after its `ttl` or `exp`, while no newer one can be had, in
   * seconds. A token that was revoked meanwhile is served so long. Default 0: such requests are refused with 503.
   */
  readonly dangerouslyAllowStaleStatusSeconds?: number;
}

/** An issuer with its options checked and its keys at hand. */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly algorithms: readonly string[];
  readonly maxLifetimeSeconds: number;
  readonly namespace: string;
  readonly keys: Source<readonly IssuerKey[]>;
  /** How its status lists may be fetched. */
  readonly remote: RemoteOptions;
  readonly staleStatusSeconds: number;
}

const optionNames = [
  'issuer',
  'jwks',
  'jwksUri',
  'algorithms',
  'maxLifetimeSeconds',
  'subjectNamespace',
  'dangerouslyAllowStaleStatusSeconds',
  'dangerouslyAllowHttp',
  'dangerouslyAllowPrivateAddresses',
] as const satisfies readonly (keyof IssuerOptions)[];

/** @throws ConfigError which names the issuer and says what to do. */
export function readIssuers(options: readonly IssuerOptions[]): ReadonlyMap<string, TrustedIssuer> {
  if (!Array.isArray(options)) throw new ConfigError("'issuers' must be a list.");
  const issuers = new Map<string, TrustedIssuer>();
  for (const issuer of options.map(readIssuer)) {
    if (issuers.has(issuer.issuer)) throw new ConfigError(`issuer '${issuer.issuer}' is listed twice.`);
    issuers.set(issuer.issuer, issuer);
  }
  checkNamespaces([...issuers.values()]);
  return issuers;
}

function readIssuer(options: IssuerOptions): TrustedIssuer {
  if (!isJsonObject(options)) throw new ConfigError("'issuers' must list objects like { issuer, jwksUri }.");
  const owner = `issuer '${options.issuer}'`;
  checkOptionNames(owner, options, optionNames);
  checkIssuerName(options.issuer);
  const { algorithms = defaultAlgorithms, maxLifetimeSeconds = 3600, subjectNamespace = '' } = options;
  if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(isSignatureAlgorithm)) {
    throw new ConfigError(`${owner}: 'algorithms' must list some of ${signatureAlgorithms.join(', ')}.`);
  }
  if (!Number.isSafeInteger(maxLifetimeSeconds) || maxLifetimeSeconds < 1) {
    throw new ConfigError(`${owner}: 'maxLifetimeSeconds' must be a whole number of seconds above 0.`);
  }
  if (subjectNamespace !== '' && (!isIdentifier(subjectNamespace) || subjectNamespace.length > 64)) {
    throw new ConfigError(`${owner}: 'subjectNamespace' must be visible text of at most 64 characters, like 'acme:'.`);
  }
  const { dangerouslyAllowStaleStatusSeconds: staleStatusSeconds = 0 } = options;
  if (!Number.isSafeInteger(staleStatusSeconds) || staleStatusSeconds < 0 || staleStatusSeconds > 86_400) {
    throw new ConfigError(
      `${owner}: 'dangerouslyAllowStaleStatusSeconds' must be a whole number of seconds from 0 to 86400.`,
    );
  }
  const keys = readKeys(owner, options, algorithms);
  return {
    issuer: options.issuer,
    algorithms,
    maxLifetimeSeconds,
    namespace: subjectNamespace,
    keys,
    remote: options,
    staleStatusSeconds,
  };
}

/** RFC 9207 §2: an https URL without query or fragment. It is never normalised: two spellings are two issuers. */
function checkIssuerName(issuer: unknown): void {
  const url =
    typeof issuer === 'string' && /^https?:\/\/[^\s?#@]+$/.test(issuer) && URL.canParse(issuer)
      ? new URL(issuer)
      : undefined;
  if (url === undefined) {
    throw new ConfigError(
      `issuer '${String(issuer)}' must be an https URL without query or fragment, exactly as in the tokens' iss.`,
    );
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new ConfigError(`issuer '${url.href}' is plain http, which only a loopback address may be. Use https.`);
  }
}

function readKeys(owner: string, options: IssuerOptions, algorithms: readonly string[]): Source<readonly IssuerKey[]> {
  const { jwks, jwksUri } = options;
  if ((jwks === undefined) === (jwksUri === undefined)) {
    throw new ConfigError(
      `${owner}: say where its keys come from, with exactly one of 'jwks' ({ keys: […] }) and 'jwksUri' (the jwks_uri of its metadata).`,
    );
  }
  if (jwksUri !== undefined)
    return remoteKeys(readRemoteUrl(`${owner}, 'jwksUri'`, jwksUri, options), options, algorithms);

  const read = readIssuerKeySet(jwks, algorithms);
  if (!read.ok) throw new ConfigError(`${owner}, 'jwks': ${read.problem}.`);
  const [problem] = read.refused;
  if (problem !== undefined) throw new ConfigError(`${owner}, 'jwks': a key cannot be used: ${problem}.`);
  if (read.value.length === 0)
    throw new ConfigError(`${owner}, 'jwks': none of its keys verifies ${algorithms.join(', ')}.`);
  const held = { kind: 'held', value: read.value, generation: 0 } as const;
  return { current: () => held, afterMiss: () => held };
}

function remoteKeys(url: URL, options: RemoteOptions, algorithms: readonly string[]): Source<readonly IssuerKey[]> {
  return new CachedRemote<readonly IssuerKey[]>({
    fetch: () => fetchJson(url, options),
    // A key that should not be in the set is left out; the others count.
    read: (json) => readIssuerKeySet(json, algorithms),
    maxAgeSeconds: 300,
    maxStaleSeconds: 3600,
  });
}

/**
 * `sub` is unique within its issuer only (RFC 7519 §4.1.2). No namespace may begin with another, else 'a' + 'bc' and
 * 'ab' + 'c' would name one subject.
 */
function checkNamespaces(issuers: readonly TrustedIssuer[]): void {
  const [, another] = issuers.filter(({ namespace }) => namespace === '');
  if (another !== undefined) {
    throw new ConfigError(
      `issuer '${another.issuer}': give it a 'subjectNamespace', like 'acme:'. Two issuers may use the same sub for two people, so all but one need their own.`,
    );
  }
  const named = issuers.filter(({ namespace }) => namespace !== '');
  for (const { issuer, namespace } of named) {
    const clash = named.find((other) => other.issuer !== issuer && other.namespace.startsWith(namespace));
    if (clash === undefined) continue;
    throw new ConfigError(
      `issuers '${issuer}' and '${clash.issuer}': neither 'subjectNamespace' may begin with the other.`,
    );
  }
}
