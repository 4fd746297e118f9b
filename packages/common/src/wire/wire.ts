// The constants of the wire profile (docs/reference/wire-profile.md). The guard, the agent and the CLI read them here; a test
// compares them with the docs. The bounds on parsing a signature are `LIMITS` of @countersign/signature.

/** The signature that counts is the one with this `tag`. */
export const profileTag = 'countersign';

/** The `kid` of the public keys that @countersign/testing hands out. Guards refuse such keys: no test data becomes trusted. */
export const testKeyId = 'countersign-testing';

/** Parameters that every signature of the profile carries. */
export const requiredParameters = ['created', 'keyid', 'nonce', 'tag'] as const;

/** Components that name the target of a request; `@target-uri` covers the same. */
export const targetComponents: readonly string[] = ['@authority', '@path', '@query'];

/** Fields that say what the body is. The signature covers those that are present. */
export const bodyFields: readonly string[] = ['content-type', 'content-encoding', 'content-digest'];

/** Fields that carry a credential: the signature covers those that are present, and they never cross a network in clear. */
export const credentialFields: readonly string[] = ['authorization', 'agent-delegation', 'agent-approval'];

/**
 * Fields of the Model Context Protocol: what a request calls, and to which session it belongs. The signature covers those
 * that are present. The body decides; gateways go by the fields.
 */
export const mcpFields: readonly string[] = [
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
  'mcp-protocol-version',
  'last-event-id',
];

/** Beside `mcp-method`, fields whose names begin so repeat arguments of the call. The signature covers them too. */
export const mcpParameterPrefix = 'mcp-param-';

/** Fields that some applications take for the method. The signature covers those that are present. */
export const methodOverrideFields: readonly string[] = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/** What a guard accepts unless its options say otherwise. */
export const guardDefaults = {
  /** Age of a signature or a DPoP proof. */
  maxAgeSeconds: 60,
  /** Age of a Web Bot Auth signature. */
  webBotAuthMaxAgeSeconds: 300,
  clockSkewSeconds: 5,
  /** Lifetime of a token. */
  maxTokenLifetimeSeconds: 3600,
  /** Lifetime of a link. */
  maxLinkLifetimeSeconds: 3600,
  /** Delegations between subject and actor. */
  maxDelegationDepth: 5,
  maxBodyBytes: 16_777_216,
  memoryBodyBytes: 1_048_576,
  bodyTimeoutSeconds: 30,
  lookupTimeoutSeconds: 10,
} as const;

/** The largest values to which a guard can be set. */
export const guardMaxima = {
  maxAgeSeconds: 3600,
  clockSkewSeconds: 300,
  maxLinkLifetimeSeconds: 86_400,
  maxDelegationDepth: 16,
} as const;

/** When a client believes the `Date` of a refusal more than its own clock. */
export const clientClock = {
  /** Clocks that differ by less do not matter. */
  skewSeconds: 5,
  /** A signature for a later time could be kept by whoever answers, and used then. */
  maxForwardSeconds: 300,
} as const;

/** What a request may carry at most, whatever the options of the guard. Lengths are in characters, all of them ASCII. */
export const wireBounds = {
  /** Lines of the header section: fewer than the 1000 at which Node begins to drop them. */
  fieldLines: 256,
  /** Target and fields together. */
  fieldsLength: 32_768,
  /** The value of Agent-Delegation. */
  delegationFieldLength: 24_576,
  tokenLength: 16_384,
  linkLength: 8192,
  dpopProofLength: 4096,
  /** A nonce, and the `jti` of a DPoP proof: long enough that two honest ones never collide, short enough to store. */
  minNonceLength: 8,
  maxNonceLength: 256,
} as const;

/** Where a client learns the audience, the limits and the accepted proofs of an API. */
export const discoveryPath = '/.well-known/countersign';

/** The `type` of a refusal (RFC 9457) is a page of the site of the documentation: this, and the code. */
export const refusalPages = 'https://countersign.github.io/countersign/refusals/';
