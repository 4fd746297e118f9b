import { type Message, nameOf, valueOf, withValue } from '../message.js';
import type { Random } from '../random.js';
import { mutateJwt, withGroupOrder } from './jwt.js';
import type { WireMutation } from './lines.js';

const changeStart: WireMutation = (message, random) => ({
  ...message,
  start: random.pick(startChanges)(message.start, random),
});

const startChanges: readonly ((start: string, random: Random) => string)[] = [
  (start, random) =>
    start.replace(/^\S*/, random.pick(['GET', 'DELETE', 'PUT', 'QUERY', 'PROPFIND', 'OPTIONS', 'HEAD', 'TRACE'])),
  (start) => start.replace(/^\S*/, (method) => method.toLowerCase()),
  // Harmless: an absolute-form target names the same path and query (RFC 9112 §3.2.2), if it names our authority.
  (start) => start.replace(' /', ' https://fuzz.example/'),
  (start) => start.replace(' /', ' https://FUZZ.example:443/'),
  (start) => start.replace(' /', ' http://other.example/'),
  (start) => start.replace(' /', ' //other.example/'),
  (start) => start.replace(' /', ' /x/../'),
  (start) => start.replace(' /', ' /./'),
  (start) => start.replace(' /', ' /%2e%2e/'),
  (start) => start.replace(' /', String.raw` \ `.trimEnd()),
  (start) => start.replace(/ (\/[^ ?]*)/, ' $1/'),
  (start) => start.replace(/ (\/[^ ?]*)/, ' $1?admin=1&'),
  (start) => start.replace(/ HTTP/, '?admin=1 HTTP'),
  (start) => start.replace(/ HTTP/, '#f HTTP'),
  (start) => start.replace(/\?[^ ]*/, '?'),
  (start, random) =>
    start.replace(/[a-z]/g, (letter) => (random.chance(0.1) ? `%${letter.charCodeAt(0).toString(16)}` : letter)),
  (start, random) => start.replace(/HTTP\/1\.1$/, random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', ''])),
  (start) => start.replace(' ', '  '),
  (start) => `\r\n${start}`,
];

/** Changes text of a structured field: members, parameters, components, labels. */
const changeStructured: WireMutation = (message, random) => {
  const name = random.pick([
    'signature-input',
    'signature-input',
    'signature',
    'content-digest',
    'agent-delegation',
    'signature-agent',
  ]);
  return withValue(message, name, (value) => random.pick(structuredChanges)(value, random));
};

const structuredChanges: readonly ((value: string, random: Random) => string)[] = [
  (value, random) =>
    value.replace(
      /created=\d+/,
      random.pick(['created=1', 'created=9999999999', 'created="x"', 'created=1.5', 'created']),
    ),
  (value) => value.replace(/;nonce="(.)/, ';nonce="x$1'),
  (value) => value.replace(/;expires=\d+/, ''),
  (value) => value.replace(/;keyid="[^"]*"/, ''),
  (value, random) =>
    value.replace(/"@\w+"/, (component) => component + random.pick([';req', ';sf', ';bs', ';tr', ';key="x"', ';x'])),
  (value, random) => value.replace(/"@?[\w-]+" /, () => random.pick(['', '"@method" ', '"host" ', '"@status" '])),
  (value) => value.replace(/"(@?[\w-]+)" "(@?[\w-]+)"/, '"$2" "$1"'),
  (value) => `${value};alg="ed25519"`,
  (value) => `${value};alg="hmac-sha256"`,
  (value) => `${value};tag="unrelated"`,
  (value) => value.replace('tag="countersign"', 'tag="unrelated";tag="countersign"'),
  // Harmless in both fields at once: the label is no part of the signature base.
  (value) => value.replace(/^\w+=/, 'other='),
  (value) => `${value}, ${value}`,
  (value) => `${value}, ${value.replace(/^\w+=/, 'other=')}`,
  // Harmless for fields that the signature does not cover as they stand: white space between members.
  (value) => ` ${value}\t`,
  (value) => `${value},`,
  (value) => value.replaceAll(';', '; '),
  (value) => value.replace('(', '( '),
  (value) => value.replaceAll('"', ''),
  (value, random) => value + ', x=("@method")'.repeat(random.between(1, 200)),
];

/** Renames the label of the signature in both fields, and adds a signature of another profile: both are harmless. */
const relabel: WireMutation = (message, random) => {
  const label = random.pick(['other', 'sig2', '*x', 'a.b']);
  const added = random.chance(0.5) ? ', x=' : undefined;
  const input = withValue(
    message,
    'signature-input',
    (value) => value.replace(/^\w+=/, `${label}=`) + (added === undefined ? '' : `${added}("@method");tag="unrelated"`),
  );
  return withValue(
    input,
    'signature',
    (value) => value.replace(/^\w+=/, `${label}=`) + (added === undefined ? '' : `${added}:AAAA:`),
  );
};

const changeSignature: WireMutation = (message, random) =>
  withValue(message, 'signature', (value) => {
    const signature = Buffer.from(/:([^:]*):/.exec(value)?.[1] ?? '', 'base64');
    if (signature.length !== 64) return value;
    const flipped = Buffer.from(signature);
    const at = random.below(64);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
    const other = random.pick([
      flipped,
      withGroupOrder(signature),
      signature.subarray(0, 63),
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.alloc(64),
    ]);
    return value.replace(/:[^:]*:/, `:${other.toString('base64')}:`);
  });

/** A token, link or proof is changed on its way. */
const changeJwt: WireMutation = (message, random) => {
  const name = random.pick(['authorization', 'agent-delegation', 'dpop']);
  return withValue(message, name, (value) => value.replace(/[\w-]+\.[\w-]+\.[\w-]+/, (jwt) => mutateJwt(jwt, random)));
};

const changeScheme: WireMutation = (message, random) =>
  withValue(message, 'authorization', (value) =>
    value.replace(/^\w+ /, () => random.pick(['bearer ', 'Bearer  ', 'DPoP ', 'Basic ', 'Bearer\t', ''])),
  );

/** Puts one character of a value in upper or lower case, or in its place another that looks alike. */
const respellValue: WireMutation = (message, random) => {
  const line = random.pick(message.lines);
  const value = valueOf(line);
  if (value === '') return message;
  const at = random.below(value.length);
  const letter = value[at] ?? '';
  const other = random.pick([
    letter.toUpperCase(),
    letter.toLowerCase(),
    `${letter} `,
    ',',
    ';',
    '"',
    '\u00e9',
    '\t',
    '\u007f',
  ]);
  return withValue(message, nameOf(line), () => value.slice(0, at) + other + value.slice(at + 1));
};

export const valueMutations: Readonly<Record<string, WireMutation>> = {
  changeStart,
  changeStructured,
  relabel,
  changeSignature,
  changeJwt,
  changeScheme,
  respellValue,
};

/** The value of Content-Length set to the length of the body that travels. */
export function withRightLength(message: Message): Message {
  return withValue(message, 'content-length', () => String(message.body.length));
}
