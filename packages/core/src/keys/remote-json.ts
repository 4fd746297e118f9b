import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { ConfigError } from '../config-error.js';
import { parseStrictJson } from '../json/strict-json.js';
import { isPublicAddress, lookupPublic } from './public-addresses.js';

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

interface RemoteLimits {
  /** For the whole exchange, so that a body that comes in drops cannot outlast it. */
  readonly timeoutMilliseconds: number;
  readonly maxBytes: number;
}

const defaultLimits: RemoteLimits = { timeoutMilliseconds: 5000, maxBytes: 1024 * 1024 };

/**
 * Reads a configured address to fetch from. `owner` names the option in messages.
 *
 * @throws ConfigError which says what to do.
 */
export function readRemoteUrl(owner: string, text: string, options: RemoteOptions): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new ConfigError(`${owner}: '${text}' is not an https URL.`);
  }
  if (url.username !== '' || url.password !== '')
    throw new ConfigError(`${owner}: take the credentials out of the URL.`);
  if (url.protocol === 'http:' && options.dangerouslyAllowHttp !== true) {
    throw new ConfigError(`${owner}: '${text}' is plain http. Use https, or set dangerouslyAllowHttp: true.`);
  }
  if (!mayConnect(url, options)) {
    throw new ConfigError(
      `${owner}: '${text}' is not a public address. If it is meant, set dangerouslyAllowPrivateAddresses: true.`,
    );
  }
  return url;
}

/** An address in the URL itself is never resolved, so it has to be checked here. */
function mayConnect(url: URL, options: RemoteOptions): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return options.dangerouslyAllowPrivateAddresses === true || isIP(host) === 0 || isPublicAddress(host);
}

/**
 * Fetches a JSON document from an address that `readRemoteUrl` let through: one GET without redirects, at most 1 MiB
 * in at most 5 seconds, sent as JSON and read strictly. Never rejects.
 */
export async function fetchJson(
  url: URL,
  options: RemoteOptions = {},
  limits: RemoteLimits = defaultLimits,
): Promise<RemoteJson> {
  const signal = AbortSignal.timeout(limits.timeoutMilliseconds);
  try {
    const response = await send(url, options, signal);
    const problem = responseProblem(response);
    const bytes = problem === undefined ? await readBody(response, limits.maxBytes) : undefined;
    response.destroy();
    if (bytes === undefined) return failed(problem ?? `the answer is larger than ${limits.maxBytes} bytes`);
    const read = parseStrictJson(bytes);
    return read.ok ? { ok: true, json: read.value } : failed(`the answer is unusable: ${read.problem}`);
  } catch (error) {
    return failed(signal.aborted ? `it took longer than ${limits.timeoutMilliseconds} ms` : String(error));
  }
}

function send(url: URL, options: RemoteOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    request(url, {
      headers: { accept: 'application/jwk-set+json, application/json', 'accept-encoding': 'identity' },
      signal,
      // No pooled connection, whose address others chose without our check.
      agent: false,
      rejectUnauthorized: true,
      ...(options.dangerouslyAllowPrivateAddresses === true ? {} : { lookup: lookupPublic }),
    })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
}

function responseProblem({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  if (statusCode >= 300 && statusCode < 400) return `the answer is a redirect (${statusCode}), which is not followed`;
  if (statusCode !== 200) return `the answer has status ${statusCode}`;
  if (!isJsonType(headers['content-type'] ?? '')) return 'the answer is not JSON by its content type';
  // We asked for none; inflating would undo the size limit.
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') return 'the answer is compressed';
  return undefined;
}

function isJsonType(contentType: string): boolean {
  return /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i.test(contentType);
}

/** The body, or undefined when it is too large. */
async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk) || (length += chunk.length) > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function failed(problem: string): RemoteJson {
  return { ok: false, problem };
}
