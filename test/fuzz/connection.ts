import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Whether the server closes the connection after it. */
  readonly last: boolean;
}

/** What became of the bytes of a case. */
export interface Exchange {
  readonly answers: readonly Answer[];
  readonly end: 'answered' | 'closed' | 'silent';
}

/** One connection at a time, kept as long as both sides agree where requests end. */
export class FuzzConnection {
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends bytes, and collects answers until there are `expected`, the server closes, or it was silent for so long. */
  async exchange(bytes: Buffer, expected: number, patienceMs: number): Promise<Exchange> {
    const socket = (this.#socket ??= await this.#open());
    const reader = new AnswerReader();
    return await new Promise((resolve) => {
      const finish = (end: Exchange['end']) => {
        clearTimeout(timer);
        socket.removeAllListeners();
        // What was destroyed may still report an error, and nobody waits for it.
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

  /** The next exchange gets a connection of its own. */
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

  /** Whether bytes are left that belong to no whole answer. */
  get pending(): boolean {
    return this.#text !== '';
  }

  read(data: Buffer): void {
    this.#text += data.toString('latin1');
    for (let end = this.#readOne(); end > 0; end = this.#readOne()) this.#text = this.#text.slice(end);
  }

  /** How long the first answer is; 0 while it is not whole. */
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
