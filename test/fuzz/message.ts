import type { Original } from './original.js';
import type { Random } from './random.js';

/** A request on the wire, in pieces that mutations take apart and put together. */
export interface Message {
  readonly start: string;
  /** Field lines, without their line ends. */
  readonly lines: readonly string[];
  /** Body on the wire, with its chunks. */
  readonly body: Buffer;
}

export function messageOf({ request, chunked }: Original, random: Random): Message {
  const { method, target, fields, body } = request;
  return {
    start: `${method} ${target} HTTP/1.1`,
    lines: fields.map(([name, value]) => `${name}: ${value}`),
    body: chunked ? inChunks(body, random) : body,
  };
}

export function bytesOf({ start, lines, body }: Message): Buffer {
  return Buffer.concat([Buffer.from([start, ...lines, '', ''].join('\r\n'), 'latin1'), body]);
}

/** The chunked coding of RFC 9112 §7.1, in chunks of random length. */
export function inChunks(body: Buffer, random: Random, extension = '', trailer = ''): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const length = random.between(1, body.length - at);
    const size = random.chance(0.5) ? length.toString(16) : `0${length.toString(16).toUpperCase()}`;
    parts.push(Buffer.from(`${size}${extension}\r\n`), body.subarray(at, at + length), Buffer.from('\r\n'));
    at += length;
  }
  return Buffer.concat([...parts, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

export function nameOf(line: string): string {
  return line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase();
}

export function valueOf(line: string): string {
  return line.slice(line.indexOf(':') + 1).trim();
}

/** The message with the value of the first field of this name changed. */
export function withValue(message: Message, name: string, change: (value: string) => string): Message {
  const at = message.lines.findIndex((line) => nameOf(line) === name);
  if (at === -1) return message;
  const line = message.lines[at] ?? '';
  const lines = message.lines.with(at, `${line.slice(0, line.indexOf(':'))}: ${change(valueOf(line))}`);
  return { ...message, lines };
}
