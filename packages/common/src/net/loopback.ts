/**
 * Whether a host name of a URL can only mean this machine: `127.0.0.0/8`, `[::1]` and `localhost`. Names below
 * `localhost` do not count: RFC 6761 reserves them, but many resolvers send them to the network.
 */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(hostname);
}
