import { checkOptionNames, ConfigError, integerOption, readOnTrouble, secureUrl } from '@countersign/common';
import { type AuditSink, fanOut } from '@countersign/core';
import { isIdentifier, isScopeMatch, isStringOrUri, parseScope, type Scope } from '@countersign/delegation';
import { isAgentId, isTag } from '../agents/read-agent.js';
import type { Store } from '../storage/store.js';
import { type ApprovalSettings, readApprovals } from './read-approvals.js';
import type { AuthorityOptions, ExchangeRule, ExternalIssuerOptions, ResourceOptions } from './authority-options.js';
import { readSpiffe, type SpiffeSettings } from './read-spiffe.js';
import { readUsers, type UserSettings } from './read-users.js';

/** An API, with every default filled in. */
export type Resource = ResourceOptions & Required<Pick<ResourceOptions, 'scopeMatch'>>;

/** The options, checked, with every default filled in. */
export interface Settings {
  readonly issuer: URL;
  /** The issuer as it is written in tokens, without a slash at its end. */
  readonly issuerName: string;
  readonly secret: string;
  readonly store: Store;
  readonly resources: readonly [Resource, ...Resource[]];
  readonly adminTokens: readonly string[];
  readonly tokenLifetimeSeconds: number;
  readonly maxDelegationDepth: number;
  readonly externalIssuers: readonly ExternalIssuerOptions[];
  readonly exchange: readonly ExchangeRule[];
  readonly users?: UserSettings;
  readonly approvals?: ApprovalSettings;
  readonly spiffe?: SpiffeSettings;
  readonly audit?: AuditSink;
  readonly signingKeyDays: number;
  readonly onTrouble: (message: string) => void;
}

const owner = 'createAuthority';
const optionNames = {
  issuer: true,
  secret: true,
  store: true,
  resources: true,
  adminTokens: true,
  tokenLifetimeSeconds: true,
  maxDelegationDepth: true,
  externalIssuers: true,
  exchange: true,
  users: true,
  approvals: true,
  spiffe: true,
  audit: true,
  signingKeyDays: true,
  onTrouble: true,
} as const satisfies Record<keyof AuthorityOptions, true>;

/** @throws ConfigError which says what to do. */
export function readOptions(options: AuthorityOptions): Settings {
  checkOptionNames(owner, options, Object.keys(optionNames));
  const issuer = readIssuer(options.issuer);
  const { tokenLifetimeSeconds = 300, maxDelegationDepth = 5, signingKeyDays = 90 } = options;
  const externalIssuers = listOf('externalIssuers', options.externalIssuers ?? []).map(readExternalIssuer);
  const names = new Set([options.issuer, ...externalIssuers.map((external) => external.issuer)]);
  if (names.size <= externalIssuers.length)
    throw wrong("'externalIssuers' names an issuer twice, or the authority itself");
  const users = options.users === undefined ? undefined : readUsers(options.users);
  if (users?.signIn?.issuer === options.issuer) throw wrong("'signIn' names the authority itself");
  checkNamespaces([...externalIssuers, ...(users?.signIn === undefined ? [] : [users.signIn])]);
  return {
    issuer,
    issuerName: options.issuer,
    secret: readSecret("'secret'", options.secret),
    store: readStore(options.store),
    resources: readResources(options.resources),
    adminTokens: listOf('adminTokens', options.adminTokens ?? []).map((token) =>
      readSecret("each of 'adminTokens'", token),
    ),
    tokenLifetimeSeconds: integerOption(owner, 'tokenLifetimeSeconds', tokenLifetimeSeconds, 10, 3600),
    maxDelegationDepth: integerOption(owner, 'maxDelegationDepth', maxDelegationDepth, 1, 16),
    externalIssuers,
    exchange: listOf('exchange', options.exchange ?? []).map((rule) => readRule(rule, names)),
    ...(users !== undefined && { users }),
    ...(options.approvals !== undefined && {
      approvals: readApprovals(options.approvals, options.users, externalIssuers),
    }),
    ...(options.spiffe !== undefined && { spiffe: readSpiffe(options.spiffe) }),
    // A misspelt sink must not pass for none.
    ...(Object.hasOwn(options, 'audit') && { audit: readAudit(options.audit) }),
    signingKeyDays: integerOption(owner, 'signingKeyDays', signingKeyDays, 1, 365),
    onTrouble: readOnTrouble(owner, options.onTrouble),
  };
}

/** With the timeout of `fanOut`: a disk that hangs is a failure. */
function readAudit(audit: unknown): AuditSink {
  const sinks: unknown[] = Array.isArray(audit) ? audit : [audit];
  if (sinks.length > 0 && sinks.every(isSink)) return fanOut(sinks);
  throw wrong("'audit' must be a sink or a list of sinks, like auditFile('audit')");
}

function isSink(sink: unknown): sink is AuditSink {
  return typeof sink === 'object' && sink !== null && 'write' in sink && typeof sink.write === 'function';
}

function readIssuer(issuer: unknown): URL {
  const read = secureUrl(issuer, 'loopback');
  if (read.ok && /^https?:\/\/[^\s?#]+[^\s?#/]$/.test(String(issuer)) && read.url.href.replace(/\/$/, '') === issuer) {
    return read.url;
  }
  throw wrong(
    "'issuer' must be an https URL without query, fragment and slash at its end, like 'https://id.acme.dev' (http on loopback only)",
  );
}

function readSecret(what: string, value: unknown): string {
  if (typeof value === 'string' && /^[\x21-\x7e]{32,512}$/.test(value)) return value;
  throw wrong(`${what} must be at least 32 printable characters, such as those of 'openssl rand -base64 32'`);
}

function readStore(store: unknown): Store {
  const methods = typeof store === 'object' && store !== null ? (store as Partial<Store>) : {};
  if (typeof methods.run === 'function' && typeof methods.batch === 'function') return store as Store;
  throw wrong("'store' must come from openSqlite() or openPostgres(). Write 'await' before it");
}

function readResources(resources: readonly ResourceOptions[]): Settings['resources'] {
  const [first, ...others] = listOf('resources', resources).map(readResource);
  if (first === undefined)
    throw wrong("'resources' must name at least one API, like [{ audience: 'https://api.acme.dev' }]");
  const audiences = new Set([first, ...others].map(({ audience }) => audience));
  if (audiences.size <= others.length) throw wrong("'resources' names an audience twice");
  return [first, ...others];
}

function readResource(resource: ResourceOptions): Resource {
  checkOptionNames(`${owner}, 'resources'`, resource, ['audience', 'scopes', 'scopeMatch', 'introspectedBy']);
  const { audience, scopes, scopeMatch = 'hierarchical', introspectedBy } = resource;
  if (!isStringOrUri(audience) || !URL.canParse(audience) || audience.includes('#')) {
    throw wrong("the 'audience' of a resource must be an absolute URL without fragment (RFC 8707)");
  }
  if (introspectedBy !== undefined && !(Array.isArray(introspectedBy) && introspectedBy.every(isAgentId))) {
    throw wrong("'introspectedBy' must list ids of agents");
  }
  if (!isScopeMatch(scopeMatch)) throw wrong("the 'scopeMatch' of a resource must be 'hierarchical' or 'exact'");
  return {
    audience,
    scopeMatch,
    ...(scopes !== undefined && { scopes: readScope("'scopes'", scopes) }),
    ...(introspectedBy !== undefined && { introspectedBy: [...introspectedBy] }),
  };
}

function readScope(what: string, scope: unknown): Scope {
  const read = parseScope(Array.isArray(scope) ? scope.join(' ') : scope);
  if (read.ok) return read.scope;
  throw wrong(`${what} must be a list of scopes like 'repo:read'`);
}

const externalNames = [
  'issuer',
  'audience',
  'subjectNamespace',
  'subjectClaim',
  'jwksUri',
  'jwks',
  'algorithms',
  'tokenTypes',
  'scopeClaim',
];

function readExternalIssuer(external: ExternalIssuerOptions): ExternalIssuerOptions {
  checkOptionNames(`${owner}, 'externalIssuers'`, external, externalNames);
  const { issuer, audience, subjectNamespace, jwksUri, jwks, algorithms, tokenTypes } = external;
  if (!secureUrl(issuer, 'loopback').ok) throw wrong("the 'issuer' of an external issuer must be its https URL");
  if (!isStringOrUri(audience)) throw wrong(`external issuer '${issuer}': 'audience' must be the aud of its tokens`);
  if (!isIdentifier(subjectNamespace) || subjectNamespace.length > 64) {
    throw wrong(
      `external issuer '${issuer}': give it a 'subjectNamespace' like 'acme:', so that its users are not mistaken for others`,
    );
  }
  if (jwksUri !== undefined && (jwks !== undefined || !secureUrl(jwksUri, 'loopback').ok)) {
    throw wrong(`external issuer '${issuer}': 'jwksUri' must be an https URL, and 'jwks' is not given besides`);
  }
  const types = Array.isArray(tokenTypes)
    ? tokenTypes.map((type: unknown) => (type === '' ? 'none' : type))
    : tokenTypes;
  for (const [name, list] of Object.entries({ algorithms, tokenTypes: types })) {
    if (list === undefined || (Array.isArray(list) && list.length > 0 && list.every(isIdentifier))) continue;
    throw wrong(`external issuer '${issuer}': '${name}' must be a list of names`);
  }
  if (algorithms?.some((algorithm) => !asymmetric.has(algorithm))) {
    throw wrong(`external issuer '${issuer}': 'algorithms' must be some of ${[...asymmetric].join(' ')}`);
  }
  const { subjectClaim, scopeClaim } = external;
  for (const [name, claim] of Object.entries({ subjectClaim, scopeClaim })) {
    if (claim === undefined || isIdentifier(claim)) continue;
    throw wrong(`external issuer '${issuer}': '${name}' must be the name of a claim`);
  }
  return { ...external };
}

const asymmetric: ReadonlySet<string> = new Set(['EdDSA', 'Ed25519', 'ES256', 'ES384', 'PS256', 'RS256']);

/**
 * None may begin with another: 'a' + 'bc' and 'ab' + 'c' would be one subject. The issuer at which users sign in may be an
 * external one too: with an equal namespace they are the same users.
 */
function checkNamespaces(issuers: readonly Pick<ExternalIssuerOptions, 'issuer' | 'subjectNamespace'>[]): void {
  for (const [index, { issuer, subjectNamespace }] of issuers.entries()) {
    const clashes = issuers.some(
      (other, at) =>
        at !== index &&
        other.subjectNamespace.startsWith(subjectNamespace) &&
        !(other.issuer === issuer && other.subjectNamespace === subjectNamespace),
    );
    if (clashes) throw wrong(`external issuer '${issuer}': its 'subjectNamespace' is the beginning of that of another`);
  }
}

const ruleNames = Object.keys({
  agents: true,
  tag: true,
  issuer: true,
  from: true,
  scope: true,
} satisfies Record<keyof ExchangeRule, true>);

function readRule(rule: ExchangeRule, issuers: ReadonlySet<string>): ExchangeRule {
  checkOptionNames(`${owner}, 'exchange'`, rule, ruleNames);
  const { agents, tag, issuer, from, scope } = rule;
  if ((agents === undefined) === (tag === undefined))
    throw wrong("a rule of 'exchange' needs exactly one of 'agents' and 'tag'");
  for (const list of [agents, from]) {
    if (list === undefined || (Array.isArray(list) && list.length > 0 && list.every(isAgentId))) continue;
    throw wrong("a rule of 'exchange' must list ids of agents");
  }
  if (tag !== undefined && !isTag(tag)) throw wrong("the 'tag' of a rule must be a tag of agents");
  if (issuer !== undefined && !issuers.has(issuer)) {
    throw wrong(`a rule of 'exchange' names the issuer '${issuer}', which is none of 'externalIssuers'`);
  }
  return { ...rule, ...(scope !== undefined && { scope: readScope("'scope' of a rule", scope) }) };
}

function listOf<Entry>(name: string, value: readonly Entry[]): readonly Entry[] {
  if (Array.isArray(value)) return value;
  throw wrong(`'${name}' must be a list`);
}

function wrong(detail: string): ConfigError {
  return new ConfigError(`${owner}: ${detail}.`);
}
