import { boundString, escapeUnprintable, hasDotSegment, secureUrl } from '@countersign/common';
import { AgentError } from './agent-error.js';
import { readApprovalRequired } from './approval-required.js';
import { bodyBytes, refuseTooLarge } from './body.js';
import { addCredentials, type Credentials } from './credentials.js';
import type { ApprovalHandler } from './approval-question.js';
import type { Settings } from './options.js';
import { sendOrSignAnew } from './sign-anew.js';
import { signHeaders } from './sign-headers.js';

/** A request for any HTTP client, to be signed by `signRequest`. */
export interface RequestToSign {
  readonly method: string;
  readonly url: string | URL;
  readonly headers?: ConstructorParameters<typeof Headers>[0];
  /** The exact bytes that the client will send; a string is sent as UTF-8. */
  readonly body?: string | Uint8Array;
}

/** What to hand to the HTTP client, all of it unchanged. */
export interface SignedRequest {
  /** In upper case. */
  readonly method: string;
  /** The URL as signed: normalised by the WHATWG URL rules, without fragment. */
  readonly url: string;
  /** The given headers and the signature's, names in lower case. */
  readonly headers: Record<string, string>;
}

/** What a signer acts with at the moment. */
export type Hold = () => Credentials | Promise<Credentials>;

export interface SignedFetchParts {
  readonly hold: Hold;
  /** Undefined: the refusal of an API that needs approval is returned. */
  readonly approve: ApprovalHandler | undefined;
}

/** The standard `fetch`, with every request signed. See `Signer`. */
export async function signedFetch(
  settings: Settings,
  { hold, approve }: SignedFetchParts,
  input: string | URL | Request,
  init: RequestInit = {},
): Promise<Response> {
  if (init.redirect === 'follow') {
    throw new TypeError(
      "A signature is for one URL: redirect: 'follow' is not possible. Use 'error' (default) or 'manual'.",
    );
  }
  // The Request does to URL, method, headers and body what fetch will do, so what is signed is what is sent.
  const request = new Request(input, { ...init, duplex: 'half' });
  const url = httpUrl(request.url, settings);
  const body = await bodyBytes(request, settings.maxBodyBytes);
  const { method } = request;
  const signal = callersSignal(input, init);

  async function send(approval?: string): Promise<Response> {
    const headers = new Headers(request.headers);
    if (approval !== undefined) headers.set('agent-approval', approval);
    addCredentials(headers, await hold());
    await signHeaders({ method, url, headers, body }, settings);
    const message = { method, headers, signal, body: body ?? null, redirect: 'manual' } as const;
    return await settings.fetch(url.href, { ...init, ...message });
  }

  let response = await sendOrSignAnew(send, signal);
  if (approve !== undefined && !request.headers.has('agent-approval')) {
    const refused = await readApprovalRequired(response, {
      agent: settings.id,
      method,
      url,
      headers: request.headers,
      body,
    });
    const approval = refused.question && (await approve(refused.question, signal ?? undefined));
    response = approval === undefined ? refused.response : await sendApproved(refused.response, approval, send, signal);
  }
  if (request.redirect !== 'manual') await refuseRedirect(response, url);
  return response;
}

async function sendApproved(
  refused: Response,
  approval: string,
  send: (approval: string) => Promise<Response>,
  signal: AbortSignal | null,
): Promise<Response> {
  await refused.body?.cancel();
  return await sendOrSignAnew(async () => await send(approval), signal);
}

/** Not that of a Request made here: once that is collected, it hears of no abort. */
function callersSignal(input: string | URL | Request, init: RequestInit): AbortSignal | null {
  return init.signal === undefined && input instanceof Request ? input.signal : (init.signal ?? null);
}

/** Most UTF-16 units of a redirect's target in an error. */
const longestLocation = 256;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

async function refuseRedirect(response: Response, url: URL): Promise<void> {
  // Node shows a redirect as it is; other runtimes only say that there was one.
  if (!redirectStatuses.has(response.status) && response.type !== 'opaqueredirect') return;
  const location = response.headers.get('location') ?? 'another URL';
  // The server chooses the text, and an error ends up in logs and terminals.
  const shown = escapeUnprintable(boundString(location, longestLocation));
  await response.body?.cancel();
  throw new AgentError(
    'redirect_refused',
    `${url.origin} redirected the call to ${shown}. Call that URL itself, or use redirect: 'manual'.`,
  );
}

/** Signs a request that another client sends. */
export async function signRequest(
  settings: Settings,
  credentials: Credentials,
  { method: named, url: given, headers: fields, body: content }: RequestToSign,
): Promise<SignedRequest> {
  // node:http and its kin send it in upper case whatever they are given, and servers know no other.
  const method = named.toUpperCase();
  const url = httpUrl(given, settings);
  const headers = new Headers(fields);
  addCredentials(headers, credentials);
  const body = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  if (body !== undefined && body.byteLength > 0) {
    refuseTooLarge(body.byteLength, settings.maxBodyBytes);
    // Some clients add a content type of their own, which the signature would then not cover.
    if (!headers.has('content-type')) headers.set('content-type', defaultContentType(content));
    // node:http sends the body of a DELETE or OPTIONS without any framing unless its length is given.
    headers.set('content-length', String(body.byteLength));
  }
  await signHeaders({ method, url, headers, body }, settings);
  return { method, url: url.href, headers: Object.fromEntries(headers) };
}

function defaultContentType(content: string | Uint8Array | undefined): string {
  return typeof content === 'string' ? 'text/plain;charset=UTF-8' : 'application/octet-stream';
}

/** The URL without what never reaches the wire, if this agent may call it. */
function httpUrl(input: string | URL, { origins }: Settings): URL {
  // Plain http is refused where a credential would cross the network.
  const read = secureUrl(String(input), 'anywhere');
  if (!read.ok) {
    throw new AgentError(
      'url_unsupported',
      'The URL must be absolute, http or https, and without user name and password.',
    );
  }
  if (origins?.has(read.url.origin) === false) {
    throw new AgentError(
      'origin_not_allowed',
      `${read.url.origin} is none of the origins of this agent. Nothing was signed or sent.`,
    );
  }
  // The URL standard resolves plain dot segments; an API refuses those that are left.
  if (hasDotSegment(read.url.pathname)) {
    throw new AgentError('url_unsupported', "The path has an encoded dot segment, like '..%2F'. Resolve it first.");
  }
  read.url.hash = '';
  return read.url;
}
