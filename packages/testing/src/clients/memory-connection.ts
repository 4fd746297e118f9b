import { type Duplex, duplexPair } from 'node:stream';

/** What frameworks read and set of the socket of a request. */
interface SocketFacts {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: string;
  readonly localAddress: string;
  readonly localPort: number;
  /** By this frameworks tell https from http. */
  readonly encrypted: boolean;
}

/** No operating system numbers these connections, and loggers print the port. */
let lastPort = 49_151;

/**
 * A connection in memory: the end of the client, and that of the server. The latter looks like a socket from this machine,
 * because rate limiters count by its address, and Secure cookies need `encrypted`.
 */
export function memoryConnection(encrypted: boolean): readonly [client: Duplex, server: Duplex] {
  const [client, server] = duplexPair();
  lastPort = lastPort < 65_535 ? lastPort + 1 : 49_152;
  const facts: SocketFacts = {
    remoteAddress: '127.0.0.1',
    remotePort: lastPort,
    remoteFamily: 'IPv4',
    localAddress: '127.0.0.1',
    localPort: encrypted ? 443 : 80,
    encrypted,
  };
  // Handlers of streams switch timers of the socket off; a connection in memory has none.
  const own = Object.fromEntries(
    ['setTimeout', 'setNoDelay', 'setKeepAlive', 'ref', 'unref'].map((name) => [name, () => server]),
  );
  return [client, Object.assign(server, facts, own)];
}
