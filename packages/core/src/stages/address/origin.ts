import { ConfigError, hasDotSegment, secureUrl } from '@countersign/common';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { FieldSection } from '@countersign/signature';
import { pathOf } from '../../model/request.js';

/** An origin this API answers for (RFC 6454): what requests must be addressed to. */
export interface Origin {
  readonly scheme: 'http' | 'https';
  /** Lower case, default port dropped. */
  readonly authority: string;
  /** `scheme://authority`, also the default audience of tokens. */
  readonly href: string;
}

/** Reads a configured origin. Plain http is for loopback only: a bearer token would cross the network in clear. */
export function parseOrigin(value: string, dangerouslyAllowHttp: boolean): Origin {
  const read = secureUrl(value, dangerouslyAllowHttp ? 'anywhere' : 'loopback');
  if (!read.ok && read.problem === 'has_credentials') throw new ConfigError('origin: take the credentials out of it.');
  if ((!read.ok && read.problem !== 'plain_http') || !/^https?:\/\/[^/?#@\s]+\/?$/i.test(value)) {
    throw new ConfigError(
      `origin: '${value}' is not an origin. Write scheme and host only, like 'https://api.example.com'.`,
    );
  }
  if (!read.ok) {
    throw new ConfigError(
      `origin: '${value}' is plain http. Use https (also when a proxy ends TLS), or set dangerouslyAllowHttpOrigin: true.`,
    );
  }
  const { url } = read;
  return { scheme: url.protocol === 'https:' ? 'https' : 'http', authority: url.host, href: url.origin };
}

/** Which of our origins a request is addressed to. */
export interface Address {
  readonly origin: Origin;
  /** The authority as the client wrote it. */
  readonly authority: string;
}

/**
 * Decides which of our origins a request is addressed to, from the Host field and the raw target alone.
 * X-Forwarded-* and Forwarded count for nothing: anyone can write them. Only `forwardedHost`, from a proxy that the
 * application trusts, stands for the Host field. With several origins, every host that a framework may read must be
 * spelt like the origin: routers by host compare bytes, and would take `API.acme.dev` for another one.
 */
export function readAddress(
  target: string,
  fields: FieldSection,
  origins: readonly Origin[],
  forwardedHost?: string,
): Address | Refusal {
  const hosts = forwardedHost === undefined ? statedHosts(fields) : [forwardedHost];
  const [host] = hosts;
  // RFC 9112 §3.2: none or several Host fields make the request invalid.
  if (host === undefined || hosts.length !== 1) return malformed('the request needs exactly one Host field');
  const authority = normaliseAuthority(host);
  if (authority === undefined) return malformed('the Host field is not a host');

  const absolute = /^(https?):\/\/([^/?#]*)/i.exec(target);
  if (
    absolute !== null &&
    normaliseAuthority(absolute[2] ?? '', absolute[1]) !== normaliseAuthority(host, absolute[1])
  ) {
    return malformed('the absolute-form target and the Host field differ');
  }
  // Without a path some routers take a slash in the query for its begin, and run another route than was signed.
  const path = absolute === null ? target : target.slice(absolute[0].length);
  if (!path.startsWith('/')) return malformed('the request target has no path');
  const named = pathOf(target);
  // No URI has a backslash (RFC 3986 §2), and some routers take it for a slash: we would decide on another path.
  if (named.includes('\\')) return malformed('the request target has a backslash');
  // A router by URL, a static folder or a gateway resolves them, and serves another path than was signed.
  if (hasDotSegment(named)) return malformed('the request target has a dot segment');
  // RFC 9112 §3.2: a fragment is never part of a request target; printable ASCII only.
  if (!/^[\x21\x22\x24-\x7e]*$/.test(target))
    return malformed('the request target has characters that a target cannot have');

  const [stated] = fields.raw(':scheme');
  const origin = origins.find(
    (candidate) => sameAuthority(candidate, host, absolute?.[1]) && fitsScheme(candidate, stated),
  );
  if (origin === undefined) {
    return refusal('origin_mismatch', `addressed to ${stated === undefined ? '' : `${stated}://`}${host}`);
  }
  if (origins.length > 1) {
    const spelt = [host, absolute?.[2] ?? host, ...(forwardedHost === undefined ? fields.raw('host') : [])];
    if (spelt.some((each) => each !== origin.authority)) {
      return malformed('the host is spelt otherwise than its origin: lower case, no default port');
    }
    if (forwardedHost === undefined && !areAll(origin.authority, fields.raw('x-forwarded-host'))) {
      return malformed('the X-Forwarded-Host of a peer that is no trusted proxy is another host');
    }
  }
  return { origin, authority: host };
}

function areAll(authority: string, lines: readonly string[]): boolean {
  return lines.every((line) => line.split(',').every((host) => host.trim() === authority));
}

/** In HTTP/2 `:authority` takes the place of Host, and a Host beside it must say the same (RFC 9113 §8.3.1). */
function statedHosts(fields: FieldSection): readonly string[] {
  const hosts = fields.raw('host');
  const authorities = fields.raw(':authority');
  const same = hosts.length === 1 && hosts[0]?.toLowerCase() === authorities[0]?.toLowerCase();
  return same ? authorities : [...authorities, ...hosts];
}

function sameAuthority(origin: Origin, host: string, scheme: string | undefined): boolean {
  if (scheme !== undefined && scheme.toLowerCase() !== origin.scheme) return false;
  return normaliseAuthority(host, origin.scheme) === origin.authority;
}

/** `:scheme` of HTTP/2. A proxy that ends TLS may state the scheme of its own connection (RFC 9113 §8.3.1). */
function fitsScheme(origin: Origin, stated: string | undefined): boolean {
  return stated === undefined || stated === origin.scheme || stated === 'http';
}

/** Lower case and without the scheme's default port (RFC 9421 §2.2.3); undefined when it is no host. */
function normaliseAuthority(host: string, scheme?: string): string | undefined {
  if (!/^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(host)) return undefined;
  const lower = host.toLowerCase();
  if (scheme?.toLowerCase() === 'https') return lower.replace(/:443$/, '');
  if (scheme?.toLowerCase() === 'http') return lower.replace(/:80$/, '');
  return lower;
}

function malformed(detail: string): Refusal {
  return refusal('request_malformed', detail);
}
