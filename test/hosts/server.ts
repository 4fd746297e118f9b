import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Server as TlsServer, TlsOptions } from 'node:tls';
import { continueAfterVerification } from '@countersign/core';

export interface ServerOptions {
  /** Cleartext HTTP/2 instead of HTTP/1. Default false. */
  readonly http2?: boolean;
  /** The loopback address to listen on. Default 127.0.0.1. */
  readonly address?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Longest header section that the server of HTTP/1 reads. Default: Node's. */
  readonly maxHeaderBytes?: number;
  /** Most field lines that the server of HTTP/1 reads; it drops the rest. Default: Node's. */
  readonly maxHeadersCount?: number;
  /** Whether the server of HTTP/1 answers clients that have closed their side. Default: Node's, false. */
  readonly answersHalfClosed?: boolean;
  /** What runs before the listener gets a request, like an asynchronous middleware. Default: nothing. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** TLS, on the server that `started` gets. Default: none. */
  readonly tls?: { readonly options: TlsOptions; started(server: TlsServer): void };
}

/** A server that listens on the loopback address. */
export interface HostServer {
  readonly url: string;
  serve(listener: RequestListener): void;
  /** Sets the time after which a silent connection is closed, like `timeout` of a Node server. */
  giveUpAfter(milliseconds: number): void;
  /** Resolves when every response has ended. */
  close(): Promise<void>;
}

function secureServer({ options, started }: NonNullable<ServerOptions['tls']>, http2: boolean): Server {
  const server = http2 ? createSecureServer(options) : createHttpsServer(options);
  started(server);
  return server;
}

export async function startServer({
  http2 = false,
  address = '127.0.0.1',
  port = 0,
  maxHeaderBytes,
  maxHeadersCount,
  answersHalfClosed,
  before,
  tls,
}: ServerOptions): Promise<HostServer> {
  const http1Options = maxHeaderBytes === undefined ? {} : { maxHeaderSize: maxHeaderBytes };
  const server: Server =
    tls !== undefined
      ? secureServer(tls, http2)
      : http2
        ? createHttp2Server()
        : Object.assign(createServer(http1Options), maxHeadersCount === undefined ? {} : { maxHeadersCount });
  if (answersHalfClosed !== undefined) Object.assign(server, { httpAllowHalfOpen: answersHalfClosed });
  continueAfterVerification(server);
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  // Not their responses: of a HEAD that nobody answers, Node closes the stream alone.
  const streams = new Set<ServerHttp2Stream>();
  server.on('stream', (stream: ServerHttp2Stream) => {
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
  });
  server.listen(port, address);
  await once(server, 'listening');

  return {
    url: `${tls === undefined ? 'http' : 'https'}://${address}:${(server.address() as AddressInfo).port}`,
    serve(listener) {
      const listenLater = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
        await before?.(request, response);
        listener(request, response);
      };
      server.on('request', before === undefined ? listener : listenLater);
    },
    giveUpAfter(milliseconds) {
      if (!http2) for (const connection of connections) connection.setTimeout(milliseconds);
      for (const session of sessions) session.setTimeout(milliseconds, () => session.destroy());
    },
    async close() {
      server.close();
      // What is cut off reports its outcome when it closes, and only then may the log be closed. Of pipelined answers
      // only the first ever closes; their connection does.
      const cutOff = [...connections, ...streams].map((open) => once(open, 'close'));
      for (const connection of connections) connection.destroy();
      await Promise.all([once(server, 'close'), ...cutOff]);
    },
  };
}
