import { boundString, ConfigError, escapeUnprintable, secureUrl, isPromise } from '@countersign/common';
import { AgentError } from './agent-error.js';
import { ownTokens, type TokenOptions, type UserToken, userTokens } from './authority/act-for.js';
import type { HeldToken } from './authority/held-token.js';
import { tokenEndpoint, type TokenEndpoint } from './authority/token-endpoint.js';
import { bodyBytes, refuseTooLarge } from './body.js';
import { type DelegationBundle, openBundle } from './bundle.js';
import { addCredentials, type Credentials } from './credentials.js';
import { delegate, type DelegateOptions } from './delegate.js';
import { type AgentOptions, readOptions, type Settings } from './options.js';
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

/** What can sign, send and hand on: an agent acting for itself, with a token, or with what another agent handed on. */
export interface Signer {
  /**
   * The standard `fetch`, with every request signed. Every kind of body works; it is read into memory first.
   * Redirects are refused (`AgentError` `redirect_refused`), since a signature is for one URL; with
   * `redirect: 'manual'` the 3xx answer is returned. `redirect: 'follow'` is refused with a `TypeError`.
   * A call that an API refuses with 503 `replay_unknown`, after a restart, is signed anew and sent again, at most three times.
   */
  readonly fetch: typeof fetch;
  /** Signs a request that another HTTP client sends. Nothing is sent. */
  readonly signRequest: (request: RequestToSign) => Promise<SignedRequest>;
  /**
   * Hands on less than it holds to another agent, offline: signs one link and bundles it with what this signer acts
   * with. Rejects with `AgentError` `delegation_impossible`, and signs nothing, if an API would refuse it: if it is wider
   * in any way than what is handed on, forbidden by its `max_hops`, or for an agent that is in the chain already.
   *
   * @example
   * const bundle = await forUser.delegate('agent-test-runner', { scope: ['repo:read'], ttlSeconds: 60 });
   * const text = JSON.stringify(bundle);
   */
  readonly delegate: (delegateId: string, options: DelegateOptions) => Promise<DelegationBundle>;
}

/** An agent with an identity of its own. */
export interface Agent extends Signer {
  readonly id: string;
  /** JWK thumbprint of its key: the `keyid` of its signatures. */
  readonly keyId: string;
  /**
   * The same agent acting with an access token: `Authorization: Bearer` is added to each request, and covered by the
   * signature. Throws `TypeError` if the text cannot be a token.
   */
  readonly withToken: (token: string) => Signer;
  /**
   * The same agent acting for a user, with tokens that the authority gives in exchange for the user's (RFC 8693). The first
   * is got now, so that a refusal shows here; later ones before the last expires. Rejects with `AgentError`
   * `token_refused` or `authority_unavailable`.
   *
   * @example
   * const forUser = await agent.actFor(userToken, { scope: ['repo:read'] });
   */
  readonly actFor: (userToken: UserToken, options?: TokenOptions) => Promise<Signer>;
  /** The same agent acting for itself, with tokens of the authority. They are got and renewed like those of `actFor`. */
  readonly withOwnToken: (options?: TokenOptions) => Promise<Signer>;
  /**
   * The same agent acting with what another agent handed on to it: `Agent-Delegation`, and the token if there is one,
   * are added to each request, and covered by the signature. Throws `AgentError` `bundle_invalid` if the bundle is not
   * for this agent and key, malformed or expired. Whether its signatures count is for the API to say.
   *
   * @example
   * const response = await agent.accept(JSON.parse(text)).fetch('https://api.acme.dev/repos/acme/api');
   */
  readonly accept: (bundle: DelegationBundle) => Signer;
}

/**
 * Creates an agent. Throws `ConfigError` if an option is wrong or unknown.
 *
 * @example
 * const agent = await createAgent({ id: 'agent-code-reviewer-01', key: loadAgentKey(pem) });
 * const response = await agent.fetch('https://api.acme.dev/repos/acme/api/pulls', { method: 'POST', body });
 */
// Asynchronous so that an agent which first has to speak to an authority is created in the same way.
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const settings = readOptions(options);
  const { authority } = settings;
  const endpoint = authority === undefined ? undefined : tokenEndpoint(authority, settings);
  return Object.freeze({
    id: settings.id,
    keyId: settings.key.keyId,
    ...signer(settings, () => ({ links: [] })),
    withToken: (token) => {
      const credentials = { token: readToken(token), links: [] };
      return Object.freeze(signer(settings, () => credentials));
    },
    actFor: async (user, tokenOptions = {}) =>
      await withHeld(settings, userTokens(required('actFor', endpoint), settings, user, tokenOptions)),
    withOwnToken: async (tokenOptions = {}) =>
      await withHeld(settings, ownTokens(required('withOwnToken', endpoint), settings, tokenOptions)),
    accept: (bundle) => {
      const recipient = { id: settings.id, keyId: settings.key.keyId, now: settings.clock() / 1000 };
      const credentials = openBundle(bundle, recipient);
      return Object.freeze(signer(settings, () => credentials));
    },
  } satisfies Agent);
}

/** What a signer acts with at the moment. */
type Hold = () => Credentials | Promise<Credentials>;

async function withHeld(settings: Settings, held: HeldToken): Promise<Signer> {
  await held.current();
  return Object.freeze(signer(settings, async () => ({ token: await held.current(), links: [] })));
}

function required(owner: string, endpoint: TokenEndpoint | undefined): TokenEndpoint {
  if (endpoint !== undefined) return endpoint;
  throw new ConfigError(`${owner}: the agent has no authority. Give createAgent the option 'authority'.`);
}

function signer(settings: Settings, hold: Hold): Signer {
  return {
    fetch: (input, init) => signedFetch(settings, hold, input, init),
    signRequest: async (request) => await signRequest(settings, await hold(), request),
    delegate: async (delegateId, options) => await delegate(settings, await hold(), delegateId, options),
  };
}

async function signedFetch(
  settings: Settings,
  hold: Hold,
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
  const url = httpUrl(request.url);
  const body = await bodyBytes(request, settings.maxBodyBytes);
  const { method } = request;
  const signal = callersSignal(input, init);

  async function send(): Promise<Response> {
    const headers = new Headers(request.headers);
    addCredentials(headers, await hold());
    await signHeaders({ method, url, headers, body }, settings);
    const message = { method, headers, signal, body: body ?? null, redirect: 'manual' } as const;
    return await settings.fetch(url.href, { ...init, ...message });
  }

  const response = await sendOrSignAnew(send, signal);
  if (request.redirect !== 'manual') await refuseRedirect(response, url);
  return response;
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

async function signRequest(
  settings: Settings,
  credentials: Credentials,
  { method: named, url: given, headers: fields, body: content }: RequestToSign,
): Promise<SignedRequest> {
  // node:http and its kin send it in upper case whatever they are given, and servers know no other.
  const method = named.toUpperCase();
  const url = httpUrl(given);
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

/** The URL without what never reaches the wire. */
function httpUrl(input: string | URL): URL {
  // Plain http is refused where a credential would cross the network.
  const read = secureUrl(String(input), 'anywhere');
  if (!read.ok) {
    throw new AgentError(
      'url_unsupported',
      'The URL must be absolute, http or https, and without user name and password.',
    );
  }
  read.url.hash = '';
  return read.url;
}

/** RFC 6750 §2.1: the characters of a token. Anything else would change the header's meaning. */
function readToken(token: unknown): string {
  if (isPromise(token)) throw new TypeError("withToken: the token is a promise. Write 'await' before it.");
  if (typeof token === 'string' && /^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return token;
  throw new TypeError('withToken: this is not an access token (RFC 6750 allows letters, digits and -._~+/ only).');
}
