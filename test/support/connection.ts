import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A response as received from the socket. */
export interface RawResponse {
  readonly status: number;
  /** Lower-case names; values of repeated fields joined by comma and space. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The whole response, to search it for secrets. */
  readonly text: string;
}

/** One TCP connection to a host, for requests that no HTTP client would send. */
export class Connection {
  readonly #socket: Socket;
  #received = '';
  #ended = false;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#wake();
    });
    // A reset ends the response; the bytes before it are kept.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** `paused`: it reads nothing. */
  static async open(url: string, { paused = false }: { readonly paused?: boolean } = {}): Promise<Connection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    const connection = new Connection(socket);
    if (paused) socket.pause();
    return connection;
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next response, read to its end. `head`: the response to a HEAD request, without a body. */
  async read({ head = false }: { readonly head?: boolean } = {}): Promise<RawResponse> {
    for (;;) {
      const parsed = parseResponse(this.#received, head, this.#ended);
      if (parsed !== undefined) {
        this.#received = this.#received.slice(parsed.length);
        // Skips an interim response (100 Continue).
        if (parsed.response.status >= 200) return parsed.response;
        continue;
      }
      if (this.#ended) throw new Error(`the connection closed after: ${JSON.stringify(this.#received)}`);
      await this.#change();
    }
  }

  /** The first line of the next response, also of an interim one. */
  async nextLine(): Promise<string> {
    while (!this.#received.includes('\r\n') && !this.#ended) await this.#change();
    return this.#received.split('\r\n', 1)[0] ?? '';
  }

  /** Resolves once the connection is closed. */
  async closed(): Promise<void> {
    while (!this.#ended) await this.#change();
  }

  /** Closes this side of the connection. */
  end(): void {
    this.#socket.end();
  }

  /** Closes the connection without ending the request. */
  destroy(): void {
    this.#socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function parseResponse(
  text: string,
  head: boolean,
  ended: boolean,
): { readonly response: RawResponse; readonly length: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
    const known = headers[name.toLowerCase()];
    headers[name.toLowerCase()] = known === undefined ? value : `${known}, ${value}`;
  }
  const start = headEnd + 4;
  const body =
    head || status < 200 || status === 204 ? { text: '', end: start } : readBody(text, start, headers, ended);
  if (body === undefined) return undefined;
  return { response: { status, headers, body: body.text, text: text.slice(0, body.end) }, length: body.end };
}

function readBody(
  text: string,
  start: number,
  headers: Readonly<Record<string, string>>,
  ended: boolean,
): { text: string; end: number } | undefined {
  if (headers['transfer-encoding'] === 'chunked') return readChunks(text, start);
  const length = headers['content-length'];
  if (length === undefined) return ended ? { text: text.slice(start), end: text.length } : undefined;
  const end = start + Number(length);
  return text.length >= end ? { text: text.slice(start, end), end } : undefined;
}

function readChunks(text: string, start: number): { text: string; end: number } | undefined {
  let body = '';
  for (let at = start; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (text.length < next) return undefined;
    if (size === 0) return { text: body, end: next };
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}
