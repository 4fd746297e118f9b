import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

const notPublic = new BlockList();

// IANA special-purpose address registries (RFC 6890): what is not globally reachable, and the prefixes that carry an
// IPv4 address inside (NAT64, SIIT, 6to4, Teredo). IPv4-mapped IPv6 addresses match the IPv4 rules by themselves.
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4');
}
// The host agent of Azure, which hands out secrets of the machine that asks.
notPublic.addAddress('168.63.129.16', 'ipv4');
for (const [network, prefix] of [
  ['::', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['100:0:0:1::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6');
}

/** Whether this is the text of an IP address that the public internet routes. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  // A zone (fe80::1%eth0) only exists on a link.
  if (family === 0 || address.includes('%')) return false;
  return !notPublic.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

const notPublicProblem =
  'the host has an address that is not public. If it is meant, set dangerouslyAllowPrivateAddresses: true';

/** Answers like `dns.lookup`, with all addresses. */
type Resolve = (hostname: string, options: LookupAllOptions, callback: Resolved) => void;
type Resolved = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * Resolves like `dns.lookup`, but asks for a host only once at a time: a process has two threads for it, and nothing ends a
 * question that is not answered. Unless `mayBePrivate`, it fails when any answer is not public. The addresses that were
 * checked are the ones connected to, so a name that resolves differently a second time (DNS rebinding) gains nothing.
 */
export function createLookup(mayBePrivate: boolean, resolve: Resolve = lookup): LookupFunction {
  const waiting = new Map<string, Resolved[]>();
  function addressesOf(hostname: string, options: LookupAllOptions, callback: Resolved): void {
    const key = JSON.stringify([hostname, options]);
    const others = waiting.get(key);
    if (others !== undefined) return void others.push(callback);
    const callbacks = [callback];
    waiting.set(key, callbacks);
    resolve(hostname, options, (error, addresses) => {
      waiting.delete(key);
      for (const each of callbacks) each(error, addresses);
    });
  }
  return (hostname, options, callback) => {
    addressesOf(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const [first] = addresses;
      const isAllowed = mayBePrivate || addresses.every(({ address }) => isPublicAddress(address));
      if (first === undefined || !isAllowed) return callback(new Error(notPublicProblem), []);
      return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

export const lookupPublic: LookupFunction = createLookup(false);
export const lookupAny: LookupFunction = createLookup(true);
