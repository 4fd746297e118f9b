import { computeContentDigest, type SignedMessage, signMessage } from '@countersign/signature';
import { bodyFields, credentialFields, mcpFields, mcpParameterPrefix, profileTag } from '@countersign/common';
import { linkVector } from './links.js';
import { agentKeyOf, type AgentName, now, tokenOf } from './principals.js';

/** A request that a client signs. Characters of header values stand for bytes, as in Latin-1. */
export interface RequestCase {
  readonly name: string;
  readonly key: AgentName;
  readonly method: string;
  /** What the caller gives. Where `target` is absent, it is the rest of the URL. */
  readonly url: string;
  /** The target on the request line, where a library could write another for this URL. */
  readonly target?: string;
  readonly authority: string;
  /** The fields of the caller, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly token?: string;
  readonly links?: readonly string[];
  /** Further fields to cover if present. */
  readonly cover: readonly string[];
  readonly nonce: string;
}

type Given = Partial<Omit<RequestCase, 'name' | 'body'>> & { readonly body?: string | Buffer };

const json = ['Content-Type', 'application/json'] as const;
const link = linkVector('read only, after the token').link;
const [first, second] = ['its own right', 'its own right, handed on'].map((name) => linkVector(name).link);

const given: Readonly<Record<string, Given>> = {
  'no body, no query': {},
  'a query': { url: 'https://api.acme.dev/invoices?month=2026-10&month=2026-11' },
  'a body, as in the wire profile': {
    method: 'POST',
    url: 'https://api.acme.dev/repos/acme/api/pulls?notify=owners',
    headers: [json],
    body: '{"title":"Fix the flaky test","draft":true}',
    nonce: 'dGhpcy1pcy1vbmx5LW9uY2U',
  },
  'an empty body is none': { method: 'POST', headers: [json] },
  'a body without a type': { method: 'PUT', body: Buffer.from([0, 255, 13, 10, 128]) },
  'a body of DELETE': { method: 'DELETE', headers: [json], body: '{}' },
  'a body of GET': { headers: [json], body: '{}' },
  'a compressed body': {
    method: 'POST',
    headers: [json, ['Content-Encoding', 'gzip']],
    body: Buffer.from('H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==', 'base64'),
  },
  'an encoding without a body': { headers: [['Content-Encoding', 'identity']] },
  'a method that few know': { method: 'PROPFIND' },
  'a token': { token: tokenOf() },
  'a token and a body': { method: 'POST', token: tokenOf(), headers: [json], body: '{"a":1}' },
  'a token and a link, as in wire-vectors': {
    key: 'runner',
    url: 'https://api.acme.dev/repos/acme/api/contents/Caf%C3%A9%20menu.md',
    token: tokenOf(),
    links: [link],
  },
  'a link without a token': { key: 'runner', links: [first ?? ''] },
  'two links without a token': { key: 'crawler', links: [first ?? '', second ?? ''] },
  'a token in the header of the caller': { headers: [['authorization', `Bearer ${tokenOf()}`]] },
  'an approval': { headers: [['Agent-Approval', 'eyJ0eXAiOiJhcHByb3ZhbCtqd3QifQ.e30.c2ln']] },
  'a call of MCP': {
    method: 'POST',
    url: 'https://tools.acme.dev/mcp',
    headers: [
      json,
      ['Accept', 'application/json, text/event-stream'],
      ['Mcp-Param-Region', 'eu'],
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', 'search'],
      ['Mcp-Session-Id', 's-1'],
      ['Mcp-Protocol-Version', '2025-11-25'],
      ['Mcp-Param-Limit', '10'],
    ],
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}',
  },
  'a stream of MCP, resumed': {
    url: 'https://tools.acme.dev/mcp',
    headers: [
      ['Accept', 'text/event-stream'],
      ['Mcp-Session-Id', 's-1'],
      ['Last-Event-Id', '42'],
    ],
  },
  'a method that an application may read from a field': {
    method: 'POST',
    headers: [
      ['X-HTTP-Method-Override', 'DELETE'],
      ['X-HTTP-Method', 'DELETE'],
      ['X-Method-Override', 'DELETE'],
    ],
  },
  'a further field': {
    cover: ['idempotency-key', 'x-absent'],
    headers: [
      ['Idempotency-Key', '"k-1"'],
      ['X-Trace', 'not covered'],
    ],
  },
  'a further field with an empty value': { cover: ['x-note'], headers: [['X-Note', '']] },
  'a further field with white space around its value': { cover: ['x-note'], headers: [['X-Note', ' \t a  b \t']] },
  'a field that is not ASCII, not covered': { headers: [['X-Note', 'Gr\u00fc\u00dfe']] },
  'a further field of two lines': {
    cover: ['x-note'],
    headers: [
      ['X-Note', 'one'],
      ['X-Other', 'between'],
      ['x-note', 'two, three'],
    ],
  },
  'a digest of the caller is replaced': {
    method: 'POST',
    headers: [json, ['Content-Digest', 'sha-256=:AAAA:']],
    body: '{}',
  },
  'a digest of the caller without a body is removed': { headers: [['content-digest', 'sha-256=:AAAA:']] },
  'the default port of https': { url: 'https://api.acme.dev:443/a', authority: 'api.acme.dev' },
  'another port': { url: 'https://api.acme.dev:8443/a', authority: 'api.acme.dev:8443' },
  'the default port of http, which is another for https': {
    url: 'https://api.acme.dev:80/a',
    authority: 'api.acme.dev:80',
  },
  'plain http on this machine': {
    url: 'http://127.0.0.1:3000/a',
    authority: '127.0.0.1:3000',
    token: tokenOf(),
  },
  'plain http on localhost': { url: 'http://localhost/a', authority: 'localhost', token: tokenOf() },
  'plain http on IPv6': { url: 'http://[::1]:3000/a', authority: '[::1]:3000', token: tokenOf() },
  'a host in upper case': { url: 'https://API.Acme.DEV/a', authority: 'api.acme.dev' },
  'no path': { url: 'https://api.acme.dev', target: '/', authority: 'api.acme.dev' },
  'no path, but a query': { url: 'https://api.acme.dev?a=b', target: '/?a=b', authority: 'api.acme.dev' },
  'a fragment is not sent': { url: 'https://api.acme.dev/a?b#c', target: '/a?b' },
  'an encoded path': { url: 'https://api.acme.dev/a%20b/%C3%BC/%7e%2F%2f/c' },
  'every character that a path may have': { url: "https://api.acme.dev/a-._~!$&'()*+,;=:@/%20" },
  'empty segments': { url: 'https://api.acme.dev/a//b/', target: '/a//b/' },
  'dots that are no dot segments': { url: 'https://api.acme.dev/a../.b/..c/.../a..%2Fb/d;..' },
  'an odd query': { url: 'https://api.acme.dev/a?a=1+2&&=&b=%2F/?:@&c' },
  'a long nonce': { nonce: 'n'.repeat(256) },
};

export const requestCases: readonly RequestCase[] = Object.entries(given).map(([name, one], at) => ({
  key: 'orchestrator',
  method: 'GET',
  url: 'https://api.acme.dev/repos/acme/api',
  headers: [],
  cover: [],
  nonce: `nonce-of-a-vector-${String(at).padStart(3, '0')}`,
  ...one,
  name,
  authority: one.authority ?? new URL(one.url ?? 'https://api.acme.dev/').host,
  body: Buffer.from(one.body ?? ''),
}));

/** Every field on the wire but Host and Content-Length, in order, and the target on the request line. */
export interface SignedCase extends SignedMessage {
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export async function signCase(one: RequestCase): Promise<SignedCase> {
  const url = new URL(one.url);
  const target = one.target ?? one.url.slice(one.url.indexOf('/', 'https://'.length));
  const headers: (readonly [string, string])[] = one.headers
    .filter(([name]) => name.toLowerCase() !== 'content-digest')
    .map(([name, value]) => [name, value]);
  if (one.token !== undefined) headers.push(['Authorization', `Bearer ${one.token}`]);
  if (one.links !== undefined) headers.push(['Agent-Delegation', one.links.join(', ')]);
  if (one.body.length > 0) headers.push(['Content-Digest', computeContentDigest(one.body)]);
  const signed = await signMessage(
    {
      method: one.method,
      scheme: url.protocol === 'https:' ? 'https' : 'http',
      authority: one.authority,
      target,
      rawFields: headers.flat(),
    },
    {
      key: agentKeyOf(one.key),
      components: ['@method', '@authority', '@path', '@query', ...fieldsToCover(headers, one.cover)],
      parameters: {
        created: now,
        expires: now + 60,
        nonce: one.nonce,
        keyid: agentKeyOf(one.key).keyId,
        tag: profileTag,
      },
    },
  );
  const signature = [
    ['Signature-Input', signed.signatureInput],
    ['Signature', signed.signature],
  ] as const;
  return { ...signed, target, headers: [...headers, ...signature] };
}

const overrides = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/** In this order: what the body is, credentials, MCP, fields that override the method, those of the caller, arguments of MCP. */
function fieldsToCover(headers: readonly (readonly [string, string])[], cover: readonly string[]): string[] {
  const present = new Set(headers.map(([name]) => name.toLowerCase()));
  const parameters = [...present].filter((name) => name.startsWith(mcpParameterPrefix)).toSorted();
  const wanted = [...bodyFields, ...credentialFields, ...mcpFields, ...overrides, ...cover, ...parameters];
  return [...new Set(wanted)].filter((name) => present.has(name));
}

/** requests.json: whole requests, with their signature base. */
export async function requestVectors(): Promise<object> {
  const requests = [];
  for (const { body, ...one } of requestCases) {
    const { target, headers, signatureBase } = await signCase({ ...one, body });
    const written = body.length > 0 ? { body: body.toString('base64') } : {};
    const expected = { target, headers, signatureBase: signatureBase.split('\n') };
    requests.push({ ...one, ...written, created: now, expires: now + 60, expected });
  }
  return { requests };
}
