import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands before a server, as a load balancer does. */
export interface SilentProxy {
  readonly port: number;
  /** How many connections to it are open. */
  readonly open: () => number;
  readonly opened: () => number;
  /** Forwards nothing any more on the connections that it has, and closes none. With `next`, nor on so many new ones. */
  fallSilent(next?: number): void;
  close(): Promise<void>;
}

export async function startSilentProxy(port: number): Promise<SilentProxy> {
  const sockets = new Set<Socket>();
  let opened = 0;
  let silentUpTo = 0;
  const server = createServer((client) => {
    opened += 1;
    const number = opened;
    const upstream = connect(port, '127.0.0.1');
    sockets.add(client);
    const forward = (from: Socket, to: Socket) => {
      from.on('data', (chunk) => number > silentUpTo && to.write(chunk));
      from.on('error', () => {});
      from.on('close', () => number > silentUpTo && to.destroy());
    };
    forward(client, upstream);
    forward(upstream, client);
    client.on('close', () => {
      sockets.delete(client);
      upstream.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    open: () => sockets.size,
    opened: () => opened,
    fallSilent(next = 0) {
      silentUpTo = opened + next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
