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
  /** The connections that were not silent from their beginning forward again. */
  recover(): void;
  /** The connection on which a client sends this text, as it is or in hexadecimal, falls silent with it. Resolves then. */
  fallSilentAt(text: string): Promise<void>;
  /** Gives the server what silent connections hold, as TCP does after a loss. Resolves once the server has answered. */
  deliver(): Promise<unknown>;
  /** Closes the connections that are silent, or the others. */
  drop(which: 'silent' | 'others'): void;
  close(): Promise<void>;
}

interface Connection {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly held: Buffer[];
  readonly wasSilent: boolean;
  isSilent: boolean;
}

/** `target`: the port of the server, or the path of its socket. */
export async function startSilentProxy(target: number | string): Promise<SilentProxy> {
  const connections = new Set<Connection>();
  let opened = 0;
  let silentNext = 0;
  let silentAt: { readonly texts: readonly string[]; readonly reached: () => void } | undefined;
  const server = createServer((client) => {
    opened += 1;
    const upstream = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target);
    const one: Connection = { client, upstream, held: [], wasSilent: silentNext > 0, isSilent: silentNext > 0 };
    silentNext = Math.max(0, silentNext - 1);
    connections.add(one);
    client.on('data', (chunk) => {
      if (silentAt?.texts.some((text) => chunk.includes(text)) === true) {
        one.isSilent = true;
        silentAt.reached();
        silentAt = undefined;
      }
      if (one.isSilent) one.held.push(chunk);
      else upstream.write(chunk);
    });
    upstream.on('data', (chunk) => one.isSilent || client.write(chunk));
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => {});
      // What a client has sent is on its way also after it has closed its connection.
      from.on('close', () => one.isSilent || to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const isOpen = ({ client }: Connection) => !client.destroyed;
  return {
    port: (server.address() as AddressInfo).port,
    open: () => [...connections].filter(isOpen).length,
    opened: () => opened,
    fallSilent(next = 0) {
      for (const one of connections) one.isSilent = true;
      silentNext = next;
    },
    recover() {
      for (const one of [...connections].filter(({ wasSilent }) => !wasSilent)) {
        one.isSilent = false;
        for (const chunk of one.held.splice(0)) one.upstream.write(chunk);
      }
    },
    fallSilentAt: (text) =>
      new Promise((reached) => (silentAt = { texts: [text, Buffer.from(text).toString('hex')], reached })),
    async deliver() {
      const answers = [...connections].flatMap(({ upstream, held }) => {
        const answered = held.length === 0 ? [] : [once(upstream, 'data')];
        for (const chunk of held.splice(0)) upstream.write(chunk);
        return answered;
      });
      return await Promise.all(answers);
    },
    drop(which) {
      for (const { client, isSilent } of connections) if (isSilent === (which === 'silent')) client.destroy();
    },
    async close() {
      for (const { client, upstream } of connections) {
        client.destroy();
        upstream.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
