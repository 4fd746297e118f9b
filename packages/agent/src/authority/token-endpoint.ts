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

/** What the authority answered, and when it was asked. */
export interface IssuedToken {
  readonly token: string;
  /** Unix seconds by our clock: from then on it is not used. */
  readonly expiresAt: number;
}

/** Asks an authority for tokens, as an agent that proves itself with its key (RFC 7523). */
export interface TokenEndpoint {
  /** Rejects with `AgentError` `token_refused` or `authority_unavailable`. */
  request(parameters: Readonly<Record<string, string>>): Promise<IssuedToken>;
}

const timeoutMilliseconds = 10_000;
const maxAnswerBytes = 65_536;
const assertionSeconds = 60;
/** A token is not used in its last seconds: it must still count when the API reads it. */
const marginSeconds = 5;
/** Clocks that differ by less do not matter to an assertion. */
const skewThatMatters = 5;
const longestQuote = 300;

interface Answer {
  readonly status: number;
  readonly json: JsonObject;
  /** The `Date` of the answer in unix seconds. */
  readonly date: number | undefined;
}

export function tokenEndpoint(issuer: string, settings: Settings): TokenEndpoint {
  let known: Promise<URL> | undefined;
  /** Seconds by which the clock of the authority is ahead of ours. */
  let ahead = 0;

  const now = (): number => Math.floor(settings.clock() / 1000);

  async function endpoint(): Promise<URL> {
    known ??= discover(issuer, settings);
    try {
      return await known;
    } catch (error) {
      known = undefined;
      throw error;
    }
  }

  async function post(parameters: Readonly<Record<string, string>>): Promise<Answer> {
    const body = new URLSearchParams({
      ...parameters,
      client_id: settings.id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertion(issuer, settings, now() + ahead),
    });
    return await send(settings, issuer, await endpoint(), { method: 'POST', body });
  }

  return {
    async request(parameters) {
      let asked = now();
      let answer = await post(parameters);
      const skew = answer.date === undefined ? 0 : answer.date - asked;
      if (answer.status === 401 && Math.abs(skew - ahead) > skewThatMatters) {
        // Once: with a clock that is wrong no assertion ever counts.
        ahead = skew;
        asked = now();
        answer = await post(parameters);
      }
      return readToken(issuer, answer, asked);
    },
  };
}

/** The address of the token endpoint, from the metadata of the authority (RFC 8414 §3; OpenID Connect Discovery §4). */
async function discover(issuer: string, settings: Settings): Promise<URL> {
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
    const url = secureUrl(member(json, 'token_endpoint'), settings.dangerouslyAllowHttp ? 'anywhere' : 'loopback');
    if (!url.ok) throw unavailable(issuer, 'its metadata has no token_endpoint with https');
    return url.url;
  }
  throw unavailable(issuer, 'it has no metadata');
}

async function send(settings: Settings, issuer: string, url: URL, init: RequestInit): Promise<Answer> {
  try {
    const response = await settings.fetch(url.href, {
      ...init,
      headers: { accept: 'application/json' },
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

async function assertion(issuer: string, { id, key }: Settings, now: number): Promise<string> {
  const header = { alg: 'EdDSA', kid: key.keyId };
  const claims = { iss: id, sub: id, aud: issuer, iat: now, exp: now + assertionSeconds, jti: randomUUID() };
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${Buffer.from(await key.sign(Buffer.from(input))).toString('base64url')}`;
}

function readToken(issuer: string, { status, json }: Answer, asked: number): IssuedToken {
  const [token, lifetime, error] = ['access_token', 'expires_in', 'error'].map((name) => member(json, name));
  if (status === 200 && typeof token === 'string' && typeof lifetime === 'number' && lifetime > 0) {
    return { token, expiresAt: asked + Math.max(lifetime - marginSeconds, 1) };
  }
  if (typeof error !== 'string' || status >= 500 || status === 429) {
    throw unavailable(issuer, `it answered with ${status}`);
  }
  const description = member(json, 'error_description');
  // The server chooses the text, and an error ends up in logs and terminals.
  const why = escapeUnprintable(
    boundString([error, ...(typeof description === 'string' ? [description] : [])].join(': '), longestQuote),
  );
  throw new AgentError('token_refused', `${issuer} gave no token: ${why}.`);
}

function unavailable(issuer: string, why: string, cause?: unknown): AgentError {
  return new AgentError(
    'authority_unavailable',
    `The authority ${issuer} cannot be used now: ${why}.`,
    cause === undefined ? undefined : { cause },
  );
}
