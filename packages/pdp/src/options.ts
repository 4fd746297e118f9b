import { ConfigError, flagOption, functionOption, integerOption, numberOption, secureUrl } from '@countersign/common';

/** How a policy decision point is reached. */
export interface PdpOptions {
  /**
   * The address of the server, like `https://pdp.internal:8181`. Plain http is for loopback only: whoever can change an
   * answer on the way can permit anything.
   */
  readonly url: string;
  /** Bearer token that is sent. Default: none. */
  readonly token?: string;
  /** Longest wait for a complete answer, in seconds. Default 2. */
  readonly timeoutSeconds?: number;
  /** Largest answer, in bytes. Default 262,144. */
  readonly maxAnswerBytes?: number;
  /** Consecutive outages after which no requests are sent for a while. Default 5. */
  readonly failuresBeforeOpen?: number;
  /** Seconds without requests then, before one request probes the server. Default 5. */
  readonly openSeconds?: number;
  /**
   * The scopes that its policies mention. Policies test membership: for a caller that holds `pr:write` the scope contains
   * `pr:write:draft` if that is listed here, named by the route, or a capability of the agent. Default: none.
   */
  readonly scopeVocabulary?: readonly string[];
  /** Monotonic milliseconds, for the circuit breaker. Default `performance.now`. */
  readonly clock?: () => number;
  /** Allow plain http beyond loopback. Default false. */
  readonly dangerouslyAllowHttp?: boolean;
}

export const pdpOptionNames: readonly (keyof PdpOptions)[] = [
  'url',
  'token',
  'timeoutSeconds',
  'maxAnswerBytes',
  'failuresBeforeOpen',
  'openSeconds',
  'scopeVocabulary',
  'clock',
  'dangerouslyAllowHttp',
];

/** The options with every default filled in and every value checked. */
export interface PdpSettings {
  /** Ends with a slash. */
  readonly base: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMilliseconds: number;
  readonly maxAnswerBytes: number;
  readonly failures: number;
  readonly openMilliseconds: number;
  readonly scopeVocabulary: readonly string[];
  readonly clock: () => number;
}

/** Throws a `ConfigError` that starts with `owner`. */
export function readPdpOptions(owner: string, options: PdpOptions): PdpSettings {
  const { timeoutSeconds = 2, maxAnswerBytes = 262_144, failuresBeforeOpen = 5, openSeconds = 5 } = options;
  const { clock = () => performance.now() } = options;
  return {
    base: readUrl(owner, options),
    headers: { 'content-type': 'application/json', accept: 'application/json', ...readToken(owner, options) },
    timeoutMilliseconds: 1000 * numberOption(owner, 'timeoutSeconds', timeoutSeconds, 0.05, 60),
    maxAnswerBytes: integerOption(owner, 'maxAnswerBytes', maxAnswerBytes, 1024, 16_777_216),
    failures: integerOption(owner, 'failuresBeforeOpen', failuresBeforeOpen, 1, 1000),
    openMilliseconds: 1000 * numberOption(owner, 'openSeconds', openSeconds, 0.05, 3600),
    scopeVocabulary: readScopeVocabulary(owner, options),
    clock: functionOption(owner, 'clock', clock),
  };
}

function readUrl(owner: string, { url, dangerouslyAllowHttp = false }: PdpOptions): URL {
  const isHttpAllowed = flagOption(owner, 'dangerouslyAllowHttp', dangerouslyAllowHttp);
  const read = secureUrl(url, isHttpAllowed ? 'anywhere' : 'loopback');
  if (!read.ok) throw new ConfigError(`${owner}: ${urlProblems[read.problem]}`);
  const base = read.url;
  if (base.search !== '' || base.hash !== '') {
    throw new ConfigError(`${owner}: 'url' must have no query and no fragment.`);
  }
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return base;
}

const urlProblems = {
  not_http: "'url' must be the address that it listens on, like 'https://pdp.internal:8181'.",
  has_credentials: "take the credentials out of 'url'. A bearer token goes into 'token'.",
  plain_http: "'url' is plain http. Use https, or set dangerouslyAllowHttp: true.",
} as const;

function readToken(owner: string, { token }: PdpOptions): { readonly authorization?: string } {
  if (token === undefined) return {};
  // RFC 6750 §2.1.
  if (typeof token !== 'string' || !/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    throw new ConfigError(`${owner}: 'token' must be a bearer token, without 'Bearer' before it.`);
  }
  return { authorization: `Bearer ${token}` };
}

/** Checks the option `scopeVocabulary` of an engine. @throws ConfigError */
export function readScopeVocabulary(
  owner: string,
  { scopeVocabulary = [] }: Pick<PdpOptions, 'scopeVocabulary'>,
): readonly string[] {
  if (!Array.isArray(scopeVocabulary) || scopeVocabulary.some((scope) => typeof scope !== 'string' || scope === '')) {
    throw new ConfigError(`${owner}: 'scopeVocabulary' must be a list of scopes, like ['pr:write:draft'].`);
  }
  return [...scopeVocabulary];
}
