import { generateKeyPairSync } from 'node:crypto';
import {
  nativeSigningKey,
  type RawFields,
  type RequestMessage,
  requireComponents,
  type ResponseMessage,
  type SignatureParameters,
  type SigningKey,
  signMessage,
  verificationKey,
  type VerificationPolicy,
} from '../../src/index.js';

export const NOW = 1_700_000_000;
export const TAG = 'test-profile';

const pair = generateKeyPairSync('ed25519');
export const signer: SigningKey = nativeSigningKey(pair.privateKey, { keyId: 'key-1' });
export const verifier = verificationKey(pair.publicKey);

/** A request with a query, a body digest and a credential. */
export function request(changes: Partial<RequestMessage> = {}): RequestMessage {
  return {
    method: 'POST',
    scheme: 'https',
    authority: 'api.example.com',
    target: '/repos/acme/api/pulls?draft=true',
    rawFields: [
      'Host',
      'api.example.com',
      'Content-Type',
      'application/json',
      'Content-Digest',
      'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
      'Authorization',
      'Bearer abc',
    ],
    ...changes,
  };
}

export const COMPONENTS = [
  '@method',
  '@authority',
  '@path',
  '@query',
  'content-type',
  'content-digest',
  'authorization',
];
export const PARAMETERS: SignatureParameters = {
  created: NOW,
  expires: NOW + 60,
  nonce: 'n-0',
  keyid: 'key-1',
  tag: TAG,
};

export interface SignChoice {
  readonly components?: readonly string[];
  readonly parameters?: SignatureParameters;
  readonly key?: SigningKey;
  readonly label?: string;
}

/** The message with a signature appended. */
export async function signed<M extends RequestMessage | ResponseMessage>(
  message: M,
  choice: SignChoice = {},
): Promise<M> {
  const { components = COMPONENTS, parameters = PARAMETERS, key = signer, label = 'sig' } = choice;
  const { signatureInput, signature } = await signMessage(message, { key, components, parameters, label });
  return withFields(message, 'Signature-Input', signatureInput, 'Signature', signature);
}

export function withFields<M extends RequestMessage | ResponseMessage>(message: M, ...fields: string[]): M {
  return { ...message, rawFields: [...message.rawFields, ...fields] };
}

/** The message with one field's value rewritten. */
export function rewrite<M extends RequestMessage | ResponseMessage>(
  message: M,
  name: string,
  change: (value: string) => string,
): M {
  const rawFields = message.rawFields.map((entry, at, all) => {
    return at % 2 === 1 && all[at - 1]?.toLowerCase() === name.toLowerCase() ? change(entry) : entry;
  });
  return { ...message, rawFields };
}

export function without<M extends RequestMessage | ResponseMessage>(message: M, name: string): M {
  const rawFields = message.rawFields.filter((_, at, all) => all[at - (at % 2)]?.toLowerCase() !== name.toLowerCase());
  return { ...message, rawFields };
}

export function policy(changes: Partial<VerificationPolicy> = {}): VerificationPolicy {
  return {
    select: { tag: TAG },
    components: requireComponents({
      all: ['@method'],
      oneOf: [['@target-uri'], ['@authority', '@path', '@query']],
      ifPresent: ['authorization', 'content-digest', 'content-type'],
    }),
    parameters: ['created', 'keyid', 'nonce', 'tag'],
    algorithms: ['ed25519'],
    now: NOW + 1,
    maxAgeSeconds: 60,
    clockSkewSeconds: 5,
    resolveKey: () => verifier,
    ...changes,
  };
}

/** Field lines as printed in a specification; a line that begins with white space continues the one before it. */
export function parseFields(lines: readonly string[]): RawFields {
  const fields: string[] = [];
  for (const line of lines) {
    if (/^[ \t]/.test(line)) fields.push(`${fields.pop() ?? ''}\r\n${line}`);
    else fields.push(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1));
  }
  return fields;
}

/** A request as printed in a specification; without a request line, a GET of `/`. */
export function parseRequest(text: string, scheme: 'http' | 'https' = 'https'): RequestMessage {
  const [head = ''] = text.split('\n\n');
  const lines = head.split('\n');
  const start = lines[0]?.endsWith(' HTTP/1.1') ? lines.shift() : undefined;
  const [method = 'GET', target = '/'] = start?.split(' ') ?? [];
  const rawFields = parseFields(lines);
  const host = rawFields.findIndex((entry, at) => at % 2 === 0 && entry.toLowerCase() === 'host');
  return {
    method,
    target,
    scheme,
    authority: host === -1 ? 'example.com' : (rawFields[host + 1] ?? '').trim(),
    rawFields,
  };
}

/** A response as printed in a specification; field lines behind a last chunk are trailers. */
export function parseResponse(text: string, related?: RequestMessage): ResponseMessage {
  const [head = '', ...rest] = text.split('\n\n');
  const [start = '', ...lines] = head.split('\n');
  const trailers = rest.join('\n\n').split('\n0\n')[1];
  return {
    status: Number(start.split(' ')[1]),
    rawFields: parseFields(lines),
    ...(trailers !== undefined && { rawTrailers: parseFields(trailers.split('\n')) }),
    ...(related !== undefined && { request: related }),
  };
}
