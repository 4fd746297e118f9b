import { ConfigError, flagOption, secureUrl } from '@countersign/common';

/** Reads the address of a receiver: https or loopback, and without credentials, which would end up in logs. */
export function parseReceiverAddress(owner: string, address: string, dangerouslyAllowHttp: boolean): URL {
  const isHttpAllowed = flagOption(owner, 'dangerouslyAllowHttp', dangerouslyAllowHttp);
  const read = secureUrl(address, isHttpAllowed ? 'anywhere' : 'loopback');
  if (read.ok) return read.url;
  throw new ConfigError(`${owner}: ${problems[read.problem]}`);
}

const problems = {
  not_http: 'the address must begin with https://.',
  has_credentials: 'the address must be a URL without credentials in it.',
  plain_http:
    'the address must begin with https://. On a network that nobody else can read, `dangerouslyAllowHttp: true` allows http.',
} as const;

/**
 * Reads a value of `Authorization`. A value that no request can carry would fail each attempt with an error that quotes
 * it.
 *
 * @throws ConfigError that does not quote the value.
 */
export function readReceiverAuthorization(owner: string, authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  if (typeof authorization === 'string' && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(authorization))
    return authorization;
  throw new ConfigError(`${owner}: 'authorization' must be printable ASCII in one line, like 'Bearer …'.`);
}
