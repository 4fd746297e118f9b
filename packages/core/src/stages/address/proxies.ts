import { BlockList, isIP } from 'node:net';
import { ConfigError } from '@countersign/common';
import type { FieldSection } from '@countersign/signature';
import type { IndexedRequest } from '../../model/request.js';

/** What proxies of our own say of a request. Empty if the connected peer is none of them. */
export interface Forwarded {
  /** The Host that the client addressed. Several values cannot be told apart, so they are no host at all. */
  readonly host?: string;
  /** The nearest address that is not one of our proxies. */
  readonly remoteAddress?: string;
  /**
   * The lines of X-Forwarded-Client-Cert; none of a proxy that may not forward certificates, or of a peer whose address is
   * unknown. Undefined: the peer is no proxy of ours.
   */
  readonly certificates?: readonly string[];
}

/** Reads X-Forwarded-Host, X-Forwarded-For and X-Forwarded-Client-Cert, from the proxies that the application trusts and from nobody else. */
export type ForwardedReader = (request: Pick<IndexedRequest, 'remoteAddress' | 'fields'>) => Forwarded;

/**
 * @param trusted addresses and CIDR ranges of our own proxies, like `10.0.0.0/8` or `::1`
 * @param forwardCertificates those of them that verify client certificates: others pass on what a client wrote
 * @throws ConfigError when one of them is neither
 */
export function createForwardedReader(
  trusted: readonly string[],
  forwardCertificates: readonly string[] = [],
): ForwardedReader {
  const proxies = readRanges('trustedProxies', trusted);
  const forwarding = readRanges('forwardedBy', forwardCertificates);
  // The certificate of its connection would be that of the proxy, for every client.
  const unlisted = forwarding.find((range) => !proxies.some((proxy) => contains(proxy, range)));
  if (unlisted !== undefined) {
    throw new ConfigError(`forwardedBy: '${unlisted.entry}' must also be within one of the guard's 'trustedProxies'.`);
  }
  const isProxy = matcherOf(proxies);
  const forwardsCertificates = matcherOf(forwarding);
  if (trusted.length === 0) return () => noProxy;
  return ({ remoteAddress, fields }) => {
    if (remoteAddress === undefined) return unknownPeer;
    if (!isProxy(remoteAddress)) return noProxy;
    const hosts = fields.raw('x-forwarded-host');
    const client = clientAddress(fields, isProxy) ?? remoteAddress;
    const certificates = forwardsCertificates(remoteAddress) ? fields.raw('x-forwarded-client-cert') : [];
    return { ...(hosts.length === 0 ? {} : { host: hosts.join(',') }), remoteAddress: client, certificates };
  };
}

const noProxy: Forwarded = {};
/** A connection that was reset has no address: it may be that of a proxy, whose certificate names no client. */
const unknownPeer: Forwarded = { certificates: [] };

/** Longer than any chain of proxies; text to the left of it is not read. */
const maxListLength = 2048;

/** Each proxy appends its peer, so the rightmost address that is not a proxy is the client; the rest is unverified. */
function clientAddress(fields: FieldSection, isProxy: (address: string) => boolean): string | undefined {
  const text = fields.raw('x-forwarded-for').join(',');
  const addresses = text.slice(-maxListLength).split(',');
  // A truncated address can look like another one.
  if (text.length > maxListLength) addresses.shift();
  for (const untrimmed of addresses.toReversed()) {
    const address = untrimmed.trim();
    if (isIP(address) === 0) return undefined;
    if (!isProxy(address)) return address;
  }
  return undefined;
}

interface AddressRange {
  readonly entry: string;
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Whether an address is in one of the ranges. */
function matcherOf(ranges: readonly AddressRange[]): (address: string) => boolean {
  const list = new BlockList();
  for (const { address, bits, family } of ranges) list.addSubnet(address, bits, family);
  return (address) => {
    const bare = address.replace(/^::ffff:(?=\d+\.)/i, '');
    const version = isIP(bare);
    return version !== 0 && list.check(bare, version === 4 ? 'ipv4' : 'ipv6');
  };
}

function contains(outer: AddressRange, inner: AddressRange): boolean {
  return outer.family === inner.family && outer.bits <= inner.bits && matcherOf([outer])(inner.address);
}

function readRanges(name: string, entries: readonly string[]): readonly AddressRange[] {
  if (!Array.isArray(entries)) throw new ConfigError(`${name}: write a list, like ['10.0.0.0/8'].`);
  return entries.map((entry: string) => {
    const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const version = isIP(address);
    const bits = prefix === undefined ? (version === 4 ? 32 : 128) : Number(prefix);
    if (version === 0 || bits < 1 || bits > (version === 4 ? 32 : 128)) {
      throw new ConfigError(`${name}: '${entry}' is no address and no range like '10.0.0.0/8'.`);
    }
    return { entry, address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
  });
}
