import { gunzipSync, gzipSync } from 'node:zlib';
import { inChunks, type Message, nameOf } from '../message.js';
import type { Random } from '../random.js';
import type { WireMutation } from './lines.js';
import { withRightLength } from './values.js';

const changeBody: WireMutation = (message, random) => {
  const changed = { ...message, body: random.pick(bodyChanges)(message.body, random) };
  return random.chance(0.7) ? withRightLength(changed) : changed;
};

const bodyChanges: readonly ((body: Buffer, random: Random) => Buffer)[] = [
  (body, random) => {
    const copy = Buffer.from(body);
    if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
    return copy;
  },
  (body, random) => body.subarray(0, random.below(body.length + 1)),
  (body, random) => Buffer.concat([body, random.bytes(random.between(1, 20))]),
  (body, random) => Buffer.concat([random.bytes(random.between(1, 5)), body]),
  () => Buffer.alloc(0),
  (_body, random) => random.bytes(random.between(1, 100)),
  (body) => gzipSync(body),
  (body) => inflated(body),
  (body) => Buffer.concat([body, body]),
];

/** The body travels in chunks instead of by length. Harmless: the framing is no part of the content (RFC 9112 §6). */
const chunkBody: WireMutation = (message, random) => {
  const lines = message.lines.filter((line) => nameOf(line) !== 'content-length');
  const extension = random.pick(['', '', ';a=b', ';a="b"', ' ;x', ';']);
  const trailer = random.pick([
    '',
    '',
    'X-Late: 1\r\n',
    'Content-Digest: sha-256=:AAAA:\r\n',
    'Authorization: Bearer x\r\n',
  ]);
  const body = inChunks(message.body, random, extension, trailer);
  return { ...message, lines: [...lines, 'Transfer-Encoding: chunked'], body };
};

/** Both framings at once, or lengths that lie. */
const changeFraming: WireMutation = (message, random) => {
  const length = message.body.length;
  const line = random.pick([
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    `Content-Length: ${length}`,
    `Content-Length: ${length + 1}`,
    `Content-Length: ${Math.max(length - 1, 0)}`,
    `Content-Length: +${length}`,
    `Content-Length: ${length}, ${length}`,
    `Content-Length: 0x${length.toString(16)}`,
    'Content-Length: 99999999999999999999',
    'Content-Length: -1',
  ]);
  const lines = random.chance(0.6)
    ? message.lines.filter((other) => nameOf(other) !== 'content-length')
    : message.lines;
  return { ...message, lines: [...lines, line] };
};

export const bodyMutations: Readonly<Record<string, WireMutation>> = { changeBody, chunkBody, changeFraming };

function inflated(body: Buffer): Buffer {
  try {
    return gunzipSync(body);
  } catch {
    return body;
  }
}

/** Changes bytes of the whole message, wherever they stand. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  const until = Math.min(bytes.length, at + random.between(1, 16));
  const piece = random.pick([
    Buffer.from([random.below(256)]),
    Buffer.from(random.pick(['\r\n', '\r\n\r\n', '\n', '\r', '\u0000', ' ', ':', ',', '"', '%00', '\t'])),
    random.bytes(random.between(1, 8)),
    Buffer.alloc(0),
    bytes.subarray(at, until),
  ]);
  const removed = random.chance(0.5) ? at : until;
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(removed)]);
}

/** Parts of two valid requests as one. */
export function splice(one: Message, other: Message, random: Random): Message {
  const cut = random.below(one.lines.length + 1);
  const cutOther = random.below(other.lines.length + 1);
  const exchanged = random.pick([
    'authorization',
    'agent-delegation',
    'signature',
    'signature-input',
    'content-digest',
    'dpop',
    'content-type',
  ]);
  const without = one.lines.filter((line) => nameOf(line) !== exchanged);
  const taken = other.lines.filter((line) => nameOf(line) === exchanged);
  return random.pick<Message>([
    { ...one, lines: [...one.lines.slice(0, cut), ...other.lines.slice(cutOther)] },
    { ...one, lines: [...one.lines, ...other.lines] },
    { ...one, lines: [...other.lines, ...one.lines] },
    { ...one, lines: [...without, ...taken] },
    { ...one, lines: [...one.lines, ...taken] },
    { ...one, lines: other.lines },
    { ...one, start: other.start },
    withRightLength({ ...one, body: other.body }),
  ]);
}
