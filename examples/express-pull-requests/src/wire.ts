import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';
import { listenOnFreePort } from '@countersign/example-stage';

/**
 * The network between the agents and the API. Every byte of the story passes here, so it is also where an attacker
 * sits: it can listen, send again what it heard, and change what passes.
 */
export interface Wire {
  /** Where clients reach the API. */
  readonly origin: string;
  /** The bytes that clients have sent since the last call. */
  heard(): Buffer;
  /** Sends bytes to the API on a new connection. */
  send(bytes: Buffer): Promise<Response>;
  /** Changes a text in whatever passes while `during` runs. */
  altering<T>(text: string, replacement: string, during: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function openWire(apiPort: number): Promise<Wire> {
  const connections = new Set<Socket>();
  let recording: Buffer[] = [];
  let alter: ((bytes: Buffer) => Buffer) | undefined;

  const server = createServer((client) => {
    const api = connect(apiPort, '127.0.0.1');
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        const passed = alter?.(chunk) ?? chunk;
        recording.push(passed);
        done(null, passed);
      },
    });
    // Either side may close the connection at any time, which is not an error.
    pipeline(client, tap, api, () => undefined);
    pipeline(api, client, () => undefined);
    connections.add(client).add(api);
  });
  const port = await listenOnFreePort(server);

  return {
    origin: `http://127.0.0.1:${port}`,
    heard() {
      const bytes = Buffer.concat(recording);
      recording = [];
      return bytes;
    },
    send: (bytes) => sendBytes(port, bytes),
    async altering(text, replacement, during) {
      alter = (bytes) => Buffer.from(bytes.toString('latin1').replace(text, replacement), 'latin1');
      return during().finally(() => (alter = undefined));
    },
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function sendBytes(port: number, bytes: Buffer): Promise<Response> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let received = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer]);
    const response = readResponse(received);
    if (response !== undefined) return response; // leaving the loop closes the socket
  }
  throw new Error('The API closed the connection without an answer.');
}

/** The response once it is complete. Enough for an API whose answers all state their length. */
function readResponse(received: Buffer): Response | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...fields] = received.toString('latin1', 0, end).split('\r\n');
  const headers = new Headers();
  for (const field of fields) headers.append(...splitField(field));
  const body = received.subarray(end + 4);
  if (body.length < Number(headers.get('content-length'))) return undefined;
  return new Response(body, { status: Number(statusLine.split(' ')[1]), headers });
}

function splitField(field: string): [name: string, value: string] {
  const colon = field.indexOf(':');
  return [field.slice(0, colon), field.slice(colon + 1).trim()];
}
