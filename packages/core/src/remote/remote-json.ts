import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import {
  aborted,
  ConfigError,
  failed,
  flagOption,
  parseStrictJson,
  readBounded,
  type Reading,
  secureUrl,
} from '@countersign/common';
import { isPublicAddress, lookupAny, lookupPublic } from './public-addresses.js';

/** Switches for networks where keys are not served over https from a public address. */
export interface RemoteOptions {
  /** Fetch over plain http, so that anyone on the way can put in keys of their own. Default false. */
  readonly dangerouslyAllowHttp?: boolean;
  /** Connect to private, loopback and link-local addresses, too. Default false. */
  readonly dangerouslyAllowPrivateAddresses?: boolean;
}

export type RemoteJson =
  | { readonly ok: true; readonly json: unknown }
  | { readonly ok: false; readonly problem: string };

/** A document with the header section it came with. */
export interface RemoteDocument {
  /** Empty if the document is unchanged. */
  readonly bytes: Buffer;
  /** Whether it is still the one whose entity tag was sent. */
  readonly unchanged: boolean;
  /** Name, value, name, value, … as they were sent. */
  readonly rawHeaders: readonly string[];
}

export interface RemoteLimits {
  /** For the whole exchange, so that a body that comes in drops cannot outlast it. */
  readonly timeoutMilliseconds: number;
  readonly maxBytes: number;
}

export const defaultLimits: RemoteLimits = { timeoutMilliseconds: 5000, maxBytes: 1024 * 1024 };

/** @throws ConfigError when a switch is neither true nor false. */
export function checkRemoteOptions(owner: string, options: RemoteOptions): void {
  const { dangerouslyAllowHttp = false, dangerouslyAllowPrivateAddresses = false } = options;
  flagOption(owner, 'dangerouslyAllowHttp', dangerouslyAllowHttp);
  flagOption(owner, 'dangerouslyAllowPrivateAddresses', dangerouslyAllowPrivateAddresses);
}

/**
 * Reads a configured address to fetch from. `owner` names the option in messages.
 *
 * @throws ConfigError which says what to do.
 */
export function readRemoteUrl(owner: string, text: string, options: RemoteOptions): URL {
  const url = checkRemoteUrl(text, options);
  if (!url.ok) throw new ConfigError(`${owner}: ${url.problem}.`);
  return url.value;
}

/** The same for an address that somebody else named: whatever it is, it never throws. */
export function checkRemoteUrl(text: string, options: RemoteOptions): Reading<URL> {
  // Also on loopback: what is fetched in clear is asked for by name.
  const read = secureUrl(text, options.dangerouslyAllowHttp === true ? 'anywhere' : 'nowhere');
  if (!read.ok) return failed(urlProblems[read.problem](shownOf(text)));
  if (!mayConnect(read.url, options)) {
    return failed(
      `'${shownOf(text)}' is not a public address. If it is meant, set dangerouslyAllowPrivateAddresses: true`,
    );
  }
  return { ok: true, value: read.url };
}

/** Without query and fragment, which may hold a secret. Untyped code passes anything. */
function shownOf(text: unknown): string {
  return String(text).replace(/[?#][^]*/, '');
}

const urlProblems = {
  not_http: (text: string) => `'${text}' is not an https URL`,
  has_credentials: () => 'take the credentials out of the URL',
  plain_http: (text: string) => `'${text}' is plain http. Use https, or set dangerouslyAllowHttp: true`,
} as const;

/** An address in the URL itself is never resolved, so it has to be checked here. */
function mayConnect(url: URL, options: RemoteOptions): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return options.dangerouslyAllowPrivateAddresses === true || isIP(host) === 0 || isPublicAddress(host);
}

/** A kind of document: what is asked for, and how the answer must be typed. */
export interface DocumentKind {
  /** The Accept field. */
  readonly accept: string;
  readonly contentType: RegExp;
  /** Its name, for messages. */
  readonly name: string;
  /** The entity tag of the document that we have, which need not be sent again (RFC 9110 §13.1.2). */
  readonly etag?: string;
}

const json: DocumentKind = {
  accept: 'application/jwk-set+json, application/json',
  contentType: /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i,
  name: 'JSON',
};

/**
 * Fetches a JSON document from an address that `readRemoteUrl` let through: one GET without redirects, at most 1 MiB
 * in at most 5 seconds, sent as JSON and read strictly. Never rejects.
 */
export async function fetchJson(
  url: URL,
  options: RemoteOptions = {},
  limits: RemoteLimits = defaultLimits,
): Promise<RemoteJson> {
  const fetched = await fetchDocument(url, options, json, limits);
  if (!fetched.ok) return fetched;
  const read = parseStrictJson(fetched.value.bytes);
  return read.ok ? { ok: true, json: read.value } : failed(`the answer is unusable: ${read.problem}`);
}

/** The same for a document of any kind, as it was sent. Never rejects. */
export async function fetchDocument(
  url: URL,
  options: RemoteOptions,
  kind: DocumentKind,
  limits: RemoteLimits,
): Promise<Reading<RemoteDocument>> {
  const signal = AbortSignal.timeout(limits.timeoutMilliseconds);
  try {
    // Whatever the client does or fails to tell, nobody waits longer: requests share this fetch.
    return await Promise.race([exchange(url, options, kind, { signal, maxBytes: limits.maxBytes }), aborted(signal)]);
  } catch (error) {
    return failed(signal.aborted ? `it took longer than ${limits.timeoutMilliseconds} ms` : String(error));
  }
}

async function exchange(
  url: URL,
  options: RemoteOptions,
  kind: DocumentKind,
  { signal, maxBytes }: { readonly signal: AbortSignal; readonly maxBytes: number },
): Promise<Reading<RemoteDocument>> {
  const response = await send(url, options, kind, signal);
  const { rawHeaders } = response;
  if (response.statusCode === 304 && kind.etag !== undefined) {
    response.destroy();
    return { ok: true, value: { bytes: Buffer.alloc(0), unchanged: true, rawHeaders } };
  }
  const problem = responseProblem(response, kind);
  const bytes = problem === undefined ? await readBounded(response, maxBytes) : undefined;
  response.destroy();
  if (bytes === undefined) return failed(problem ?? `the answer is larger than ${maxBytes} bytes`);
  return { ok: true, value: { bytes: Buffer.from(bytes.buffer), unchanged: false, rawHeaders } };
}

const mostInterim = 8;

function send(
  url: URL,
  options: RemoteOptions,
  { accept, etag }: DocumentKind,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    let interim = 0;
    const sent = request(url, {
      headers: { accept, 'accept-encoding': 'identity', ...(etag !== undefined && { 'if-none-match': etag }) },
      signal,
      // No pooled connection, whose address others chose without our check.
      agent: false,
      rejectUnauthorized: true,
      lookup: options.dangerouslyAllowPrivateAddresses === true ? lookupAny : lookupPublic,
    })
      .on('response', resolve)
      .on('error', reject)
      // A server may send them without end, and none counts as a byte of its answer.
      .on('information', () => {
        interim += 1;
        if (interim > mostInterim) sent.destroy(new Error('the server sends interim answers without end'));
      })
      // All that node tells of an answer that switches protocols.
      .on('close', () => reject(new Error('the connection was closed without an answer')));
    sent.end();
  });
}

function responseProblem({ statusCode = 0, headers }: IncomingMessage, kind: DocumentKind): string | undefined {
  if (statusCode >= 300 && statusCode < 400) return `the answer is a redirect (${statusCode}), which is not followed`;
  if (statusCode !== 200) return `the answer has status ${statusCode}`;
  if (!kind.contentType.test(headers['content-type'] ?? ''))
    return `the answer is not ${kind.name} by its content type`;
  // We asked for none; inflating would undo the size limit.
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') return 'the answer is compressed';
  return undefined;
}
