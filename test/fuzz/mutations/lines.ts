import { type Message, nameOf, valueOf } from '../message.js';
import type { Random } from '../random.js';

/** Changes a message after it was signed, as anybody on its way can. */
export type WireMutation = (message: Message, random: Random) => Message;

const removeLine: WireMutation = (message, random) => {
  const at = random.below(message.lines.length);
  return { ...message, lines: message.lines.toSpliced(at, 1) };
};

const doubleLine: WireMutation = (message, random) => {
  const line = random.pick(message.lines);
  return inserted(message, random.below(message.lines.length + 1), line);
};

// Harmless: the order of fields with different names has no meaning (RFC 9110 §5.3).
const moveLine: WireMutation = (message, random) => {
  const from = random.below(message.lines.length);
  const line = message.lines[from] ?? '';
  return inserted({ ...message, lines: message.lines.toSpliced(from, 1) }, random.below(message.lines.length), line);
};

// Harmless below the server's limit: nothing looks at a field that nobody covered.
// Node stops at `maxHeadersCount` fields (1000), so counts around it are the interesting ones.
const addFillers: WireMutation = (message, random) => {
  const near = random.between(970, 1030) - message.lines.length;
  const count = random.pick([near, near, near, random.between(1, 300), 500, 2000]);
  const name = random.pick(['a', 'a', 'x-filler', 'cookie']);
  const value = random.pick(['', '', 'b']);
  return inserted(
    message,
    random.pick([0, 0, random.below(message.lines.length), message.lines.length]),
    ...filled(count, `${name}:${value}`),
  );
};

/** One line becomes several of the same name: harmless where the application sees the joined value again. */
const cutLine: WireMutation = (message, random) => {
  const at = random.below(message.lines.length);
  const line = message.lines[at] ?? '';
  const name = line.slice(0, line.indexOf(':'));
  const value = valueOf(line);
  const commas = [...value.matchAll(/,/g)].map(({ index }) => index);
  const cut = commas.length > 0 && random.chance(0.8) ? random.pick(commas) : random.below(value.length + 1);
  const rest = value[cut] === ',' ? value.slice(cut + 1) : value.slice(cut);
  return {
    ...message,
    lines: message.lines.toSpliced(at, 1, `${name}: ${value.slice(0, cut)}`, `${name}: ${rest.trim()}`),
  };
};

const foldLine: WireMutation = (message, random) =>
  changedLine(message, random, (line) => {
    const at = random.between(line.indexOf(':') + 1, line.length);
    return `${line.slice(0, at)}\r\n${random.pick([' ', '\t'])}${line.slice(at)}`;
  });

// Harmless: field names have no case, and white space around a value is no part of it.
const respellLine: WireMutation = (message, random) =>
  changedLine(message, random, (line) => {
    const at = line.indexOf(':');
    const name = random.pick([line.slice(0, at).toUpperCase(), line.slice(0, at).toLowerCase()]);
    return `${name}:${random.pick(['', ' ', '\t ', '   '])}${valueOf(line)}${random.pick(['', ' ', '\t'])}`;
  });

const misspellName: WireMutation = (message, random) =>
  changedLine(message, random, (line) => {
    const at = line.indexOf(':');
    const name = line.slice(0, at);
    return (
      random.pick([`${name} `, name.replaceAll('-', '_'), `${name}\u0000`, ` ${name}`, `x-${name}`, '']) +
      line.slice(at)
    );
  });

/** What somebody may hope that the guard or the application takes notice of. */
const addTempting: WireMutation = (message, random) => {
  const line = random.pick([
    'Content-Encoding: gzip',
    'Content-Encoding: identity',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Content-Length: 0',
    'Content-Length: 7',
    'Content-Type: text/plain',
    'Content-Type: application/json; charset=utf-16',
    'X-HTTP-Method-Override: DELETE',
    'X-HTTP-Method: DELETE',
    'X-Method-Override: DELETE',
    'Authorization: Bearer AAAA.AAAA.AAAA',
    'Authorization: Basic YTpi',
    'DPoP: AAAA.AAAA.AAAA',
    'Agent-Delegation: AAAA.AAAA.AAAA',
    'Agent-Approval: AAAA.AAAA.AAAA',
    'Mcp-Method: tools/call',
    'Mcp-Name: x',
    'Host: other.example',
    'Host: fuzz.example',
    'Forwarded: host=other.example;proto=https',
    'X-Forwarded-Host: other.example',
    'X-Forwarded-Prefix: /admin',
    'X-Original-URL: /admin',
    'X-Agent-Id: agent-thief',
    'Signature: other=:AAAA:',
    'Signature-Input: other=("@method");tag="countersign"',
    'Signature-Input: other=("@method");tag="unrelated"',
    'Signature-Agent: "https://other.example"',
    'Content-Digest: sha-256=:AAAA:',
    'Connection: close',
    'Connection: authorization, signature',
    'Expect: 100-continue',
    'Expect: unicorn',
    'Upgrade: websocket',
    'Trailer: content-digest',
    'TE: trailers',
    'If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT',
    '__proto__: x',
    'constructor: x',
    'no colon',
    ': no name',
  ]);
  return inserted(message, random.below(message.lines.length + 1), line);
};

export const lineMutations: Readonly<Record<string, WireMutation>> = {
  removeLine,
  doubleLine,
  moveLine,
  addFillers,
  cutLine,
  foldLine,
  respellLine,
  misspellName,
  addTempting,
};

function inserted(message: Message, at: number, ...added: readonly string[]): Message {
  return { ...message, lines: message.lines.toSpliced(at, 0, ...added) };
}

function filled(count: number, line: string): string[] {
  return Array.from({ length: Math.max(count, 1) }, () => line);
}

function changedLine(message: Message, random: Random, change: (line: string) => string): Message {
  const candidates = message.lines.flatMap((line, index) => (nameOf(line) === '' ? [] : [index]));
  if (candidates.length === 0) return message;
  const at = random.pick(candidates);
  return { ...message, lines: message.lines.with(at, change(message.lines[at] ?? '')) };
}
