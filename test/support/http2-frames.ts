import { once } from 'node:events';
import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { RawRequest } from './signed-request.js';

const types = { data: 0, headers: 1, reset: 3, settings: 4, goAway: 7 };
const endHeaders = 4;
const initialWindowSize = 4;

/** The frames of one request over HTTP/2, as no client of Node sends them (RFC 9113). */
export class Http2Frames {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);

  /** `window` is how much of the answer may come: none, and the server waits with its body. */
  constructor(socket: Socket, { window }: { readonly window: number }) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => (this.#received = Buffer.concat([this.#received, bytes])));
    const setting = Buffer.alloc(6);
    setting.writeUInt16BE(initialWindowSize, 0);
    setting.writeUInt32BE(window, 2);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    this.#send(types.settings, 0, setting);
  }

  /** The head of a request and the begin of its body. */
  begin({ method, target, fields }: RawRequest, scheme: 'http' | 'https', body: Buffer): void {
    const host = fields.find(([name]) => name === 'Host')?.[1] ?? '';
    const head = [
      literal(':method', method),
      literal(':scheme', scheme),
      literal(':path', target),
      literal(':authority', host),
      ...fields.flatMap(([name, value]) => (name === 'Host' ? [] : [literal(name.toLowerCase(), value)])),
    ];
    this.#send(types.headers, endHeaders, Buffer.concat(head), 1);
    // The size of a frame that every server takes.
    for (let at = 0; at < body.length; at += 16_000) this.#send(types.data, 0, body.subarray(at, at + 16_000), 1);
  }

  /** Waits until the head of the answer has come. */
  async answered(): Promise<void> {
    while (!framesIn(this.#received).includes(types.headers)) await once(this.#socket, 'data');
  }

  /** Takes the request back without an error, and announces the end of the connection. */
  resetAndLeave(): void {
    this.#send(types.reset, 0, Buffer.from([0, 0, 0, constants.NGHTTP2_NO_ERROR]), 1);
    this.#send(types.goAway, 0, Buffer.alloc(8));
  }

  /** Waits until the server has closed the connection. */
  async closed(): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, 'close');
  }

  #send(type: number, flags: number, payload: Buffer, stream = 0): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }
}

/** The types of the frames that are complete. */
function framesIn(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) found.push(bytes[at + 3] ?? 0);
  return found;
}

/** A field of RFC 7541 §6.2.2, neither indexed nor compressed. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

/** RFC 7541 §5.1 and §5.2. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}
