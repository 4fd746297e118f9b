import { createHash, randomBytes } from 'node:crypto';
import type { TestKey } from './keys.js';

/**
 * A client of the wire profile, written from docs/reference/wire-profile.md alone: strings, node:crypto and nothing else, so that
 * a mistake in our own signer cannot hide the same mistake in our verifier. It can also break every rule.
 */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
  /** In order, with duplicates, written to the wire unchanged. */
  readonly fields: readonly Field[];
  readonly body: Buffer;
}

export type Field = readonly [name: string, value: string];

export interface SignedRequestOptions {
  readonly key: TestKey;
  readonly method?: string;
  readonly target?: string;
  /** The Host field. */
  readonly host: string;
  /** Scheme of the API's origin, for `@target-uri`. */
  readonly scheme?: 'http' | 'https';
  /** Fields that stand before those of the signature, in order. */
  readonly fields?: readonly Field[];
  readonly body?: string | Uint8Array;
  /** Default `application/json` with a body; null: no such field. */
  readonly contentType?: string | null;
  /** Value of Content-Digest instead of the right one; null: no such field. */
  readonly digest?: string | null;
  readonly token?: string;
  /** Covered components as in Signature-Input, like `"@method"`; default: those that the profile requires. */
  readonly covered?: readonly string[];
  /** Adds to the default components. */
  readonly alsoCovered?: readonly string[];
  /** Removes some of the default components. */
  readonly uncovered?: readonly string[];
  /** Serialised signature parameters, merged with the right ones; undefined removes one. */
  readonly parameters?: Readonly<Record<string, string | undefined>>;
  readonly label?: string;
  /** Unix seconds; default: now. */
  readonly now?: number;
  /** Signs in place of the key. */
  readonly sign?: (base: Buffer) => Uint8Array;
}

const MCP_FIELDS = ['mcp-method', 'mcp-name', 'mcp-session-id', 'mcp-protocol-version', 'last-event-id'];
const CREDENTIALS = ['authorization', 'agent-delegation', 'agent-approval', ...MCP_FIELDS];

/** Builds and signs a request. */
export function signedRequest(options: SignedRequestOptions): RawRequest {
  const { key, method = 'GET', target = '/whoami', label = 'sig', sign = (base: Buffer) => key.sign(base) } = options;
  const body = Buffer.from(options.body ?? '');
  const fields = unsignedFields(options, body);
  const unsigned: RawRequest = { method, target, fields, body };
  const covered = coveredComponents(options, fields);
  const parameters = signatureParameters(options);
  const base = signatureBase(unsigned, covered, parameters, options);
  const signature = Buffer.from(sign(Buffer.from(base, 'latin1'))).toString('base64');
  return {
    ...unsigned,
    fields: [
      ...fields,
      ['Signature-Input', `${label}=${innerList(covered)}${parameters}`],
      ['Signature', `${label}=:${signature}:`],
    ],
  };
}

/** The request with another signature beside its own, in the same two fields. */
export function alsoSigned(request: RawRequest, other: RawRequest): RawRequest {
  const added = (name: string) => fieldsNamed(other, name).join(', ');
  return {
    ...request,
    fields: request.fields.map(
      ([name, value]): Field =>
        /^signature(?:-input)?$/i.test(name) ? [name, `${value}, ${added(name.toLowerCase())}`] : [name, value],
    ),
  };
}

/** The request with some of its fields replaced, added (if absent) or removed (null) after it was signed. */
export function tampered(
  request: RawRequest,
  change: Partial<Pick<RawRequest, 'method' | 'target' | 'body'>> & {
    readonly fields?: Readonly<Record<string, string | null>>;
  },
): RawRequest {
  let fields = [...request.fields];
  for (const [name, value] of Object.entries(change.fields ?? {})) {
    const at = fields.findIndex(([field]) => field.toLowerCase() === name.toLowerCase());
    const written: Field[] = value === null ? [] : [[name, value]];
    if (at === -1) fields.push(...written);
    else fields = fields.flatMap((field, index) => (index === at ? written : [field]));
  }
  return { ...request, ...change, fields };
}

/** The request with further field lines, after it was signed. */
export function withFields(request: RawRequest, ...added: readonly Field[]): RawRequest {
  return { ...request, fields: [...request.fields, ...added] };
}

/** The bytes on the wire. */
export function serialized({ method, target, fields, body }: RawRequest): Buffer {
  const head = [`${method} ${target} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''];
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), body]);
}

export function fieldsNamed(request: Pick<RawRequest, 'fields'>, name: string): string[] {
  return request.fields.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value.trim());
}

export function sha256Digest(body: string | Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}

/** RFC 9421 §2.5: one line for each component, then the parameters; joined by line feeds. */
export function signatureBase(
  request: RawRequest,
  covered: readonly string[],
  parameters: string,
  { scheme = 'http' }: { readonly scheme?: 'http' | 'https' } = {},
): string {
  const lines = covered.map((component) => `${component}: ${componentValue(request, component, scheme)}`);
  return [...lines, `"@signature-params": ${innerList(covered)}${parameters}`].join('\n');
}

function unsignedFields(options: SignedRequestOptions, body: Buffer): Field[] {
  const { host, fields = [], token } = options;
  const { contentType = body.length > 0 ? 'application/json' : null } = options;
  const { digest = body.length > 0 ? sha256Digest(body) : null } = options;
  const chunked = fields.some(([name]) => name.toLowerCase() === 'transfer-encoding');
  const hasLength = fields.some(([name]) => name.toLowerCase() === 'content-length');
  return [
    ['Host', host],
    ...fields,
    ...optional('Content-Type', contentType),
    ...optional('Content-Length', body.length > 0 && !chunked && !hasLength ? String(body.length) : null),
    ...optional('Content-Digest', digest),
    ...optional('Authorization', token === undefined ? null : `Bearer ${token}`),
  ];
}

function optional(name: string, value: string | null): Field[] {
  return value === null ? [] : [[name, value]];
}

function coveredComponents(options: SignedRequestOptions, fields: readonly Field[]): readonly string[] {
  if (options.covered !== undefined) return options.covered;
  const present = (name: string) => fields.some(([field]) => field.toLowerCase() === name);
  const wanted = ['content-type', 'content-encoding', 'content-digest', ...CREDENTIALS].filter(present);
  const names = ['@method', '@authority', '@path', '@query', ...wanted].map((name) => `"${name}"`);
  return [...names, ...(options.alsoCovered ?? [])].filter((name) => !(options.uncovered ?? []).includes(name));
}

function signatureParameters({ key, parameters = {}, now = Date.now() / 1000 }: SignedRequestOptions): string {
  const created = Math.floor(now);
  const all: Record<string, string | undefined> = {
    created: String(created),
    expires: String(created + 60),
    nonce: `"${randomBytes(16).toString('base64url')}"`,
    keyid: `"${key.thumbprint}"`,
    tag: '"countersign"',
    ...parameters,
  };
  return Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `;${name}=${value ?? ''}`)
    .join('');
}

function innerList(covered: readonly string[]): string {
  return `(${covered.join(' ')})`;
}

/** The table "What the components are" of the profile. A component outside it, which attacks cover, has no value. */
function componentValue(request: RawRequest, component: string, scheme: 'http' | 'https'): string {
  const name = component.replaceAll(/^"|".*$/g, '');
  const { path, query } = targetOf(request.target);
  const [host = ''] = fieldsNamed(request, 'host');
  const authority = host.toLowerCase().replace(scheme === 'https' ? /:443$/ : /:80$/, '');
  switch (name) {
    case '@method':
      return request.method;
    case '@authority':
      return authority;
    case '@path':
      return path === '' ? '/' : path;
    case '@query':
      return query === '' ? '?' : query;
    case '@target-uri':
      return `${scheme}://${authority}${path}${query}`;
    default: {
      const value = fieldsNamed(request, name).join(', ');
      return component === '"content-digest";key="sha-256"' ? value.replace('sha-256=', '') : value;
    }
  }
}

/** Path and query, also of an absolute-form target: from the first slash after the authority. */
function targetOf(target: string): { path: string; query: string } {
  const [, path = '', query = ''] = /^(?:https?:\/\/[^/?]*)?([^?]*)(.*)$/i.exec(target) ?? [];
  return { path, query };
}
