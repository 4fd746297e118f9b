import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Whether the server closes the connection after it. */
  readonly last: boolean;
}

/** The result of sending a case. */
export interface Exchange {
  readonly answers: readonly Answer[];
  readonly end: 'answered' | 'closed' | 'silent';
}

/** One connection at a time, reused while both sides agree where requests end. */
export class FuzzConnection {
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends bytes, and collects responses until `expected` are complete, the server closes, or the timeout passes. */
  async exchange(bytes: Buffer, expected: number, patienceMs: number): Promise<Exchange> {
    const socket = (this.#socket ??= await this.#open());
    const reader = new AnswerReader();
    return await new Promise((resolve) => {
      const finish = (end: Exchange['end']) => {
        clearTimeout(timer);
        socket.removeAllListeners();
        // A destroyed socket may still emit an error.
        socket.on('error', () => undefined);
        if (end !== 'answered' || reader.answers.some(({ last }) => last) || reader.pending) this.close();
        resolve({ answers: reader.answers, end });
      };
      const timer = setTimeout(() => finish('silent'), patienceMs);
      socket.on('data', (data: Buffer) => {
        reader.read(data);
        if (reader.answers.length >= expected) finish('answered');
      });
      socket.on('error', () => finish('closed'));
      socket.on('close', () => finish('closed'));
      socket.write(bytes);
    });
  }

  /** Uses a new connection for the next exchange. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  async #open(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    await once(socket, 'connect');
    return socket;
  }
}

/** Reads answers that have a length, are chunked, or end with the connection. */
class AnswerReader {
  readonly answers: Answer[] = [];
  #text = '';

  /** Whether bytes remain that are not a complete response. */
  get pending(): boolean {
    return this.#text !== '';
  }

  read(data: Buffer): void {
    this.#text += data.toString('latin1');
    for (let end = this.#readOne(); end > 0; end = this.#readOne()) this.#text = this.#text.slice(end);
  }

  /** Length of the first response; 0 while it is incomplete. */
  #readOne(): number {
    const text = this.#text;
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) return 0;
    const head = text.slice(0, end);
    const status = Number(head.slice(9, 12));
    if (status < 200) return end + 4;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const stop = /\r\ntransfer-encoding: chunked/i.test(head) ? text.indexOf('0\r\n\r\n', end) + 5 : end + 4 + length;
    if (stop > text.length || stop < end) return 0;
    this.answers.push({ status, body: text.slice(end + 4, stop), last: /\r\nconnection: close/i.test(head) });
    return stop;
  }
}
