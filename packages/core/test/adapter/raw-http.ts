import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface TestServer extends AsyncDisposable {
  readonly port: number;
}

/** A node:http server on a free port. Dispose of it: `await using server = await serve(…)`. */
export async function serve(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  options: ServerOptions = {},
): Promise<TestServer> {
  const server = createServer(options, handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface RawResponse {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** A client that writes exactly the bytes it is told to, and reads answers that state their Content-Length. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async open({ port }: TestServer): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when the bytes have been handed to the kernel, so that a next write is a segment of its own. */
  async send(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()));
  }

  async response({ head = false, informational = false } = {}): Promise<RawResponse> {
    for (;;) {
      const parsed = this.#parse(head);
      if (parsed !== undefined && (informational || parsed.status >= 200)) return parsed;
      if (parsed !== undefined) continue;
      if (this.#closed) throw new Error(`closed after ${JSON.stringify(this.#received.toString('latin1'))}`);
      await this.#more();
    }
  }

  async untilClosed(): Promise<void> {
    while (!this.#closed) await this.#more();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #parse(head: boolean): RawResponse | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const headers = this.#received.subarray(0, end).toString('latin1');
    const status = Number(headers.split(' ')[1]);
    const announced = Number(/^content-length: (\d+)$/im.exec(headers)?.[1] ?? 0);
    const length = head || status < 200 || status === 204 ? 0 : announced;
    if (this.#received.length < end + 4 + length) return undefined;
    const body = this.#received.subarray(end + 4, end + 4 + length).toString('latin1');
    this.#received = this.#received.subarray(end + 4 + length);
    return { status, headers, body };
  }
}

/**
 * Sends bytes and resets the connection before a server of this process accepts it: its event loop is blocked until the
 * client has ended.
 */
export function sendAndReset({ port }: Pick<TestServer, 'port'>, bytes: Uint8Array): void {
  const client = `
    const socket = require('node:net').connect(${port}, '127.0.0.1');
    socket.write(require('node:fs').readFileSync(0), () => socket.resetAndDestroy());`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', client], { input: bytes, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the client failed: ${stderr}`);
}

/** A POST with a body of stated length. */
export function post(body: string | Uint8Array, fields: readonly string[] = []): Buffer {
  const bytes = Buffer.from(body);
  const head = ['POST / HTTP/1.1', 'Host: test', `Content-Length: ${bytes.length}`, ...fields, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** The head of a chunked POST; chunks follow. */
export const chunkedHead: string = 'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n';

export function chunk(body: string | Uint8Array): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

export const lastChunk: string = '0\r\n\r\n';
