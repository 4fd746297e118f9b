import { randomUUID } from 'node:crypto';
import {
  boundString,
  escapeUnprintable,
  isJsonObject,
  type JsonObject,
  kindOf,
  member,
  parseStrictJson,
  readBounded,
  secureUrl,
} from '@countersign/common';
import { AgentError } from '../agent-error.js';
import type { Settings } from '../options.js';
import { type ClientProof, signJwt } from './client-proof.js';
import { proveWorkload } from './workload.js';

const timeoutMilliseconds = 10_000;
const maxAnswerBytes = 65_536;
const assertionSeconds = 60;
/** Clocks that differ by less do not matter to an assertion. */
const skewThatMatters = 5;
const longestQuote = 300;

/** What the authority answered, and when it was asked, in unix seconds by our clock. */
export interface AuthorityAnswer {
  readonly status: number;
  readonly json: JsonObject;
  readonly asked: number;
}

interface Received {
  readonly status: number;
  readonly json: JsonObject;
  /** The `Date` of the answer in unix seconds. */
  readonly date: number | undefined;
}

/** An endpoint of the authority, as its metadata names it, and what follows its path. */
export interface AuthorityEndpoint {
  readonly name: 'token_endpoint' | 'approval_endpoint';
  readonly suffix?: string;
}

/** Asks an authority, as an agent that proves itself with its key (RFC 7523). */
export interface AuthorityClient {
  readonly issuer: string;
  /** Posts a form. Rejects with `AgentError` `authority_unavailable`. */
  post(endpoint: AuthorityEndpoint, parameters: Readonly<Record<string, string>>): Promise<AuthorityAnswer>;
}

export function authorityClient(issuer: string, settings: Settings): AuthorityClient {
  let known: Promise<JsonObject> | undefined;
  /** Seconds by which the clock of the authority is ahead of ours. */
  let ahead = 0;

  const now = (): number => Math.floor(settings.clock() / 1000);

  async function addressOf({ name, suffix = '' }: AuthorityEndpoint): Promise<URL> {
    known ??= discover(issuer, settings);
    const metadata = await known.catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    const read = secureUrl(member(metadata, name), settings.dangerouslyAllowHttp ? 'anywhere' : 'loopback');
    if (!read.ok) throw unavailable(issuer, `its metadata has no ${name} with https`);
    read.url.pathname += suffix;
    return read.url;
  }

  async function postOnce(url: URL, parameters: Readonly<Record<string, string>>): Promise<Received> {
    const { headers = {}, parameters: proof } =
      settings.workload === undefined
        ? await proveAgent(issuer, settings, now() + ahead)
        : await proveWorkload(settings.workload, { url, now: now() + ahead });
    const body = new URLSearchParams({ ...parameters, client_id: settings.id, ...proof });
    return await send(settings, issuer, url, { method: 'POST', body, headers });
  }

  return {
    issuer,
    async post(endpoint, parameters) {
      const url = await addressOf(endpoint);
      let asked = now();
      let answer = await postOnce(url, parameters);
      const skew = answer.date === undefined ? 0 : answer.date - asked;
      const isRefused = answer.status === 401 || member(answer.json, 'error') === 'invalid_dpop_proof';
      if (isRefused && Math.abs(skew - ahead) > skewThatMatters) {
        // Once: with a clock that is wrong no assertion ever counts.
        ahead = skew;
        asked = now();
        answer = await postOnce(url, parameters);
      }
      return { status: answer.status, json: answer.json, asked };
    },
  };
}

/** The metadata of the authority (RFC 8414 §3; OpenID Connect Discovery §4). */
async function discover(issuer: string, settings: Settings): Promise<JsonObject> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const addresses = [
    new URL(`/.well-known/oauth-authorization-server${path}`, origin),
    new URL(`${path}/.well-known/openid-configuration`, origin),
  ];
  for (const address of addresses) {
    const { status, json } = await send(settings, issuer, address, { method: 'GET' });
    if (status !== 200) continue;
    // Metadata of another issuer would send the assertion to another server.
    if (member(json, 'issuer') !== issuer) throw unavailable(issuer, 'its metadata names another issuer');
    return json;
  }
  throw unavailable(issuer, 'it has no metadata');
}

async function send(
  settings: Settings,
  issuer: string,
  url: URL,
  init: { readonly method: 'GET' | 'POST'; readonly body?: URLSearchParams; readonly headers?: ClientProof['headers'] },
): Promise<Received> {
  try {
    const response = await settings.fetch(url.href, {
      ...init,
      headers: { accept: 'application/json', ...init.headers },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMilliseconds),
    });
    const bytes = await readBounded(response.body, maxAnswerBytes);
    const read = bytes === undefined ? undefined : parseStrictJson(bytes);
    const date = Date.parse(response.headers.get('date') ?? '');
    return {
      status: response.status,
      json: read?.ok === true && isJsonObject(read.value) ? read.value : {},
      date: Number.isNaN(date) ? undefined : date / 1000,
    };
  } catch (error) {
    throw unavailable(issuer, `it does not answer (${kindOf(error)})`, error);
  }
}

async function proveAgent(issuer: string, { id, key }: Settings, now: number): Promise<ClientProof> {
  const claims = { iss: id, sub: id, aud: issuer, iat: now, exp: now + assertionSeconds, jti: randomUUID() };
  const client_assertion = await signJwt(key, { alg: 'EdDSA', kid: key.keyId }, claims);
  return {
    parameters: {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
    },
  };
}

/** Why the authority refused: its error and description; undefined if it is out of order. */
export function refusalIn({ status, json }: Pick<AuthorityAnswer, 'status' | 'json'>): string | undefined {
  const error = member(json, 'error');
  if (typeof error !== 'string' || status >= 500 || status === 429) return undefined;
  const description = member(json, 'error_description');
  return quoted([error, ...(typeof description === 'string' ? [description] : [])].join(': '));
}

/** The server chooses the text, and an error ends up in logs and terminals. */
export function quoted(text: string): string {
  return escapeUnprintable(boundString(text, longestQuote));
}

export function unavailable(issuer: string, why: string, cause?: unknown): AgentError {
  return new AgentError(
    'authority_unavailable',
    `The authority ${issuer} cannot be used now: ${why}.`,
    cause === undefined ? undefined : { cause },
  );
}
