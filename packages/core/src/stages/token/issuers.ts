import { isIdentifier, isStringOrUri } from '@countersign/delegation';
import {
  checkOptionNames,
  ConfigError,
  guardDefaults,
  integerOption,
  isJsonObject,
  secureUrl,
} from '@countersign/common';
import { CachedRemote, loadJson, type Source } from '../../remote/cached-remote.js';
import type { PublicJwk } from '../../model/jwk.js';
import {
  checkRemoteOptions,
  fetchJson,
  type RemoteJson,
  type RemoteOptions,
  readRemoteUrl,
} from '../../remote/remote-json.js';
import { discoverKeys } from './discovery.js';
import { type IssuerKey, readIssuerKeySet } from './issuer-key.js';
import { defaultAlgorithms, isSignatureAlgorithm, signatureAlgorithms } from './signature-algorithms.js';

/**
 * A trusted issuer of tokens. Its keys are given (`jwks`), fetched (`jwksUri`), or discovered by its name: the guard reads
 * its metadata from `/.well-known/oauth-authorization-server` (RFC 8414) or `/.well-known/openid-configuration`.
 */
export interface IssuerOptions extends RemoteOptions {
  /**
   * Its name, an https URL, compared character for character with a token's `iss`. For development, it may be plain http
   * on loopback: give its `jwks`, or set both `dangerouslyAllow…` options so that they are fetched.
   */
  readonly issuer: string;
  /** Its public keys. Without it they are fetched. */
  readonly jwks?: { readonly keys: readonly PublicJwk[] };
  /**
   * URL of its public keys. Without it the URL is discovered. Fetched keys are cached for 5 minutes, and for an hour while
   * they cannot be fetched.
   */
  readonly jwksUri?: string;
  /** Audiences, of which the `aud` of its tokens must name at least one. Default: the audience of the guard. */
  readonly audience?: string | readonly string[];
  /** Signature algorithms it may use. Default Ed25519 (also called EdDSA), ES256, ES384, PS256 and RS256. */
  readonly algorithms?: readonly string[];
  /** Longest lifetime (`exp` minus `iat`) accepted, in seconds. Default 3600. */
  readonly maxLifetimeSeconds?: number;
  /**
   * Prefix of each `sub`, so that equal `sub` values of two issuers are two subjects. Required for every issuer but one.
   * Default: empty.
   */
  readonly subjectNamespace?: string;
  /**
   * Seconds for which a status list is used after its `ttl` or `exp`, while no newer one can be fetched. A token revoked
   * in that time is still accepted. Default 0: such requests are refused with 503.
   */
  readonly dangerouslyAllowStaleStatusSeconds?: number;
}

/** An issuer with validated options and a source of its keys. */
export interface TrustedIssuer {
  readonly issuer: string;
  /** Undefined: the audience of the guard. */
  readonly audiences: readonly string[] | undefined;
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
  'audience',
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

/** @throws ConfigError which names the issuer and says what to do. */
export function readIssuer(options: IssuerOptions): TrustedIssuer {
  if (!isJsonObject(options)) throw new ConfigError("'issuers' must list objects like { issuer }.");
  const owner = `issuer '${options.issuer}'`;
  checkOptionNames(owner, options, optionNames);
  checkIssuerName(options.issuer);
  const {
    algorithms = defaultAlgorithms,
    maxLifetimeSeconds = guardDefaults.maxTokenLifetimeSeconds,
    subjectNamespace = '',
  } = options;
  if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(isSignatureAlgorithm)) {
    throw new ConfigError(`${owner}: 'algorithms' must list some of ${signatureAlgorithms.join(', ')}.`);
  }
  integerOption(owner, 'maxLifetimeSeconds', maxLifetimeSeconds, 1);
  if (subjectNamespace !== '' && (!isIdentifier(subjectNamespace) || subjectNamespace.length > 64)) {
    throw new ConfigError(`${owner}: 'subjectNamespace' must be visible text of at most 64 characters, like 'acme:'.`);
  }
  const { dangerouslyAllowStaleStatusSeconds: staleStatusSeconds = 0 } = options;
  integerOption(owner, 'dangerouslyAllowStaleStatusSeconds', staleStatusSeconds, 0, 86_400);
  checkRemoteOptions(owner, options);
  const keys = readKeys(owner, options, algorithms);
  return {
    issuer: options.issuer,
    audiences: readAudience(owner, options),
    algorithms,
    maxLifetimeSeconds,
    namespace: subjectNamespace,
    keys,
    remote: options,
    staleStatusSeconds,
  };
}

function readAudience(owner: string, { audience }: IssuerOptions): readonly string[] | undefined {
  if (audience === undefined) return undefined;
  const values: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  if (values.length === 0 || !values.every(isStringOrUri)) {
    throw new ConfigError(`${owner}: 'audience' must name at least one audience, or be left out to mean the guard's.`);
  }
  return values;
}

/** RFC 9207 §2: an https URL without query or fragment. It is not normalised: two spellings are two issuers. */
function checkIssuerName(issuer: unknown): void {
  const read = secureUrl(issuer, 'loopback');
  if (!read.ok && read.problem === 'has_credentials') {
    throw new ConfigError('issuer: take the credentials out of its https URL.');
  }
  if ((!read.ok && read.problem !== 'plain_http') || !/^https?:\/\/[^\s?#@]+$/.test(String(issuer))) {
    throw new ConfigError(
      `issuer '${String(issuer)}' must be an https URL without query or fragment, exactly as in the tokens' iss.`,
    );
  }
  if (!read.ok) {
    throw new ConfigError(`issuer '${String(issuer)}' is plain http, which only a loopback address may be. Use https.`);
  }
}

function readKeys(owner: string, options: IssuerOptions, algorithms: readonly string[]): Source<readonly IssuerKey[]> {
  const { issuer, jwks, jwksUri } = options;
  if (jwks !== undefined && jwksUri !== undefined) {
    throw new ConfigError(
      `${owner}: say once where its keys come from, with 'jwks' or with 'jwksUri', or leave both out to discover them.`,
    );
  }
  if (jwksUri !== undefined) {
    const url = readRemoteUrl(`${owner}, 'jwksUri'`, jwksUri, options);
    return remoteKeys(() => fetchJson(url, options), algorithms);
  }
  if (jwks === undefined) return remoteKeys(discoverKeys(owner, issuer, options), algorithms);

  const read = readIssuerKeySet(jwks, algorithms);
  if (!read.ok) throw new ConfigError(`${owner}, 'jwks': ${read.problem}.`);
  const [problem] = read.refused;
  if (problem !== undefined) throw new ConfigError(`${owner}, 'jwks': a key cannot be used: ${problem}.`);
  if (read.value.length === 0)
    throw new ConfigError(`${owner}, 'jwks': none of its keys verifies ${algorithms.join(', ')}.`);
  const held = { kind: 'held', value: read.value, generation: 0 } as const;
  return { current: () => held, afterMiss: () => held };
}

function remoteKeys(fetch: () => Promise<RemoteJson>, algorithms: readonly string[]): Source<readonly IssuerKey[]> {
  return new CachedRemote<readonly IssuerKey[]>({
    // A key that is not acceptable is skipped; the others are used.
    load: loadJson(fetch, (json) => readIssuerKeySet(json, algorithms)),
    maxAgeSeconds: 300,
    maxStaleSeconds: 3600,
  });
}

/**
 * `sub` is unique only within its issuer (RFC 7519 §4.1.2). No namespace may be a prefix of another, because 'a' + 'bc'
 * and 'ab' + 'c' would be one subject.
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
