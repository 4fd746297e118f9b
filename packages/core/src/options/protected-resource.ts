import { checkOptionNames, ConfigError, discoveryPath, profileTag } from '@countersign/common';
import { parseScope } from '@countersign/delegation';
import { dpopAlgorithms } from '../stages/possession/dpop-proof.js';

/** What clients are told about this API (RFC 9728), so that they can get a token for it. */
export interface ProtectedResourceOptions {
  /** The URL of the API, like `https://tools.acme.dev/mcp`. Default: the first origin. */
  readonly resource?: string;
  /** The scopes that tokens may have. Default: none are named. */
  readonly scopes?: readonly string[];
  /** For people. */
  readonly name?: string;
}

/** The metadata of this API, and where clients look for it. Serve `document` there, as JSON, to everybody. */
export interface ProtectedResource {
  readonly metadataUrl: string;
  /** The path of that URL, with `/.well-known/oauth-protected-resource` at its start. */
  readonly metadataPath: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** What a client asks before it signs (wire profile). The adapters answer with it at `path`, to everybody. */
export interface Discovery {
  readonly path: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** The options that it tells of. */
interface DiscoveryFacts {
  readonly audiences: readonly string[];
  readonly maxAgeSeconds: number;
  readonly clockSkewSeconds: number;
  readonly maxBodyBytes: number;
  readonly maxDelegationDepth: number;
  readonly maxLinkLifetimeSeconds: number;
  readonly scopeMatch: string;
  readonly dpop: unknown;
  readonly webBotAuth: unknown;
  readonly mtls: unknown;
  readonly bearer: boolean;
  readonly protectedResource: ProtectedResource | undefined;
}

/** Names no issuer, agent or policy: only what a client could find out by requests that are refused. */
export function discoveryOf(facts: DiscoveryFacts): Discovery {
  const { dpop, webBotAuth, mtls, bearer, protectedResource } = facts;
  const proofs = {
    signature: true,
    dpop: dpop !== undefined,
    'web-bot-auth': webBotAuth !== undefined,
    mtls: mtls !== undefined,
    bearer,
  };
  return Object.freeze({
    path: discoveryPath,
    document: Object.freeze({
      audience: facts.audiences,
      proofs: Object.entries(proofs).flatMap(([name, accepted]) => (accepted ? [name] : [])),
      tag: profileTag,
      signature_max_age_seconds: facts.maxAgeSeconds,
      clock_skew_seconds: facts.clockSkewSeconds,
      body_max_bytes: facts.maxBodyBytes,
      delegation_max_depth: facts.maxDelegationDepth,
      link_max_lifetime_seconds: facts.maxLinkLifetimeSeconds,
      scope_match: facts.scopeMatch,
      ...(protectedResource && { resource_metadata: protectedResource.metadataUrl }),
    }),
  });
}

/** The other options that the metadata tells of. */
interface ResourceFacts {
  readonly origin: string | readonly string[];
  readonly issuers?: readonly { readonly issuer: string }[];
  readonly dpop?: unknown;
  readonly bearer?: boolean;
}

const optionNames = ['resource', 'scopes', 'name'] as const satisfies readonly (keyof ProtectedResourceOptions)[];

/** @throws ConfigError which says what to do. */
export function readProtectedResource(
  given: ProtectedResourceOptions | undefined,
  { origin, issuers = [], dpop, bearer }: ResourceFacts,
): ProtectedResource | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null) {
    throw new ConfigError("createGuard: 'protectedResource' must be an object, like { scopes: ['repo:read'] }.");
  }
  checkOptionNames("createGuard: 'protectedResource'", given, optionNames);
  const origins = [origin].flat();
  const { resource = origins[0] ?? '', scopes = [], name } = given;
  const url = URL.canParse(resource) ? new URL(resource) : undefined;
  if (url === undefined || url.search !== '' || url.hash !== '' || !origins.some((one) => sameOrigin(one, url))) {
    throw new ConfigError("createGuard: 'protectedResource.resource' must be a URL below the origin, without a query.");
  }
  if (!Array.isArray(scopes) || (scopes.length > 0 && !parseScope(scopes.join(' ')).ok)) {
    throw new ConfigError("createGuard: 'protectedResource.scopes' must be a list of scopes.");
  }
  const metadataPath = `/.well-known/oauth-protected-resource${url.pathname === '/' ? '' : url.pathname}`;
  return Object.freeze({
    metadataPath,
    metadataUrl: `${url.origin}${metadataPath}`,
    document: Object.freeze({
      resource: url.pathname === '/' ? url.origin : url.href,
      authorization_servers: issuers.map(({ issuer }) => issuer),
      ...(bearer === true && { bearer_methods_supported: ['header'] }),
      ...(scopes.length > 0 && { scopes_supported: [...scopes] }),
      ...(dpop !== undefined && { dpop_signing_alg_values_supported: [...dpopAlgorithms] }),
      ...(name !== undefined && { resource_name: name }),
    }),
  });
}

function sameOrigin(origin: string, url: URL): boolean {
  return URL.canParse(origin) && new URL(origin).origin === url.origin;
}
