import { ConfigError, isLoopback } from '@countersign/core';

/** How a policy decision point is reached. */
export interface PdpOptions {
  /**
   * Where it listens, like `https://pdp.internal:8181`. Its answers are believed, so plain http is for loopback only:
   * whoever can change an answer on the way can permit anything.
   */
  readonly url: string;
  /** Sent as bearer token. Default: none. */
  readonly token?: string;
  /** Longest wait for a whole answer, in seconds. Default 2. */
  readonly timeoutSeconds?: number;
  /** Longest answer that is read, in bytes. Default 262,144. */
  readonly maxAnswerBytes?: number;
  /** After how many outages in a row it is left alone. Default 5. */
  readonly failuresBeforeOpen?: number;
  /** For how long it is left alone then, in seconds, before one request tries it again. Default 5. */
  readonly openSeconds?: number;
  /**
   * The scopes that its policies mention. Policies test membership: a caller that holds `pr:write` is shown with
   * `pr:write:draft` if that is listed here, named by the route, or among the agent's capabilities. Default: none.
   */
  readonly scopeVocabulary?: readonly string[];
  /** Milliseconds that only grow, for the circuit breaker. Default `performance.now`. */
  readonly clock?: () => number;
  /** Ask over plain http beyond loopback. Default false. */
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
  const { clock = () => performance.now() } = options;
  if (typeof clock !== 'function') throw new ConfigError(`${owner}: 'clock' must be a function.`);
  return {
    base: readUrl(owner, options),
    headers: { 'content-type': 'application/json', accept: 'application/json', ...readToken(owner, options) },
    timeoutMilliseconds: 1000 * readNumber(owner, options, 'timeoutSeconds', 2, 0.05, 60),
    maxAnswerBytes: readNumber(owner, options, 'maxAnswerBytes', 262_144, 1024, 16_777_216),
    failures: readNumber(owner, options, 'failuresBeforeOpen', 5, 1, 1000),
    openMilliseconds: 1000 * readNumber(owner, options, 'openSeconds', 5, 0.05, 3600),
    scopeVocabulary: readScopes(owner, options),
    clock,
  };
}

function readUrl(owner: string, { url, dangerouslyAllowHttp = false }: PdpOptions): URL {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new ConfigError(`${owner}: 'url' must be the address that it listens on, like 'https://pdp.internal:8181'.`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new ConfigError(`${owner}: take the credentials out of 'url'. A bearer token goes into 'token'.`);
  }
  if (parsed.search !== '' || parsed.hash !== '') {
    throw new ConfigError(`${owner}: 'url' must have no query and no fragment.`);
  }
  if (parsed.protocol === 'http:' && !dangerouslyAllowHttp && !isLoopback(parsed.hostname)) {
    throw new ConfigError(`${owner}: 'url' is plain http. Use https, or set dangerouslyAllowHttp: true.`);
  }
  if (!parsed.pathname.endsWith('/')) parsed.pathname += '/';
  return parsed;
}

function readToken(owner: string, { token }: PdpOptions): { readonly authorization?: string } {
  if (token === undefined) return {};
  // RFC 6750 §2.1.
  if (typeof token !== 'string' || !/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    throw new ConfigError(`${owner}: 'token' must be a bearer token, without 'Bearer' before it.`);
  }
  return { authorization: `Bearer ${token}` };
}

function readScopes(owner: string, { scopeVocabulary = [] }: PdpOptions): readonly string[] {
  if (!Array.isArray(scopeVocabulary) || scopeVocabulary.some((scope) => typeof scope !== 'string' || scope === '')) {
    throw new ConfigError(`${owner}: 'scopeVocabulary' must be a list of scopes, like ['pr:write:draft'].`);
  }
  return [...scopeVocabulary];
}

type NumericOption = 'timeoutSeconds' | 'maxAnswerBytes' | 'failuresBeforeOpen' | 'openSeconds';

function readNumber(
  owner: string,
  options: PdpOptions,
  name: NumericOption,
  byDefault: number,
  least: number,
  most: number,
): number {
  const value = options[name] ?? byDefault;
  const whole = !name.endsWith('Seconds');
  if (typeof value !== 'number' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
    throw new ConfigError(`${owner}: '${name}' must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}.`);
  }
  return value;
}
