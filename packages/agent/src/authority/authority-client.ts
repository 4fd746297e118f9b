import { randomUUID } from 'node:crypto';
import { clientClock, type JsonObject, member, secureUrl } from '@countersign/common';
import type { Settings } from '../options.js';
import { type ClientProof, signJwt } from './client-proof.js';
import { discover } from './metadata.js';
import { quoted, type Received, send, unavailable } from './send.js';
import { proveWorkload } from './workload.js';

const assertionSeconds = 60;

/** What the authority answered, and when it was asked, in unix seconds by our clock. */
export interface AuthorityAnswer {
  readonly status: number;
  readonly json: JsonObject;
  readonly asked: number;
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

  async function metadata(): Promise<JsonObject> {
    return (await settings.metadata) ?? (await discover(issuer, settings));
  }

  async function addressOf({ name, suffix = '' }: AuthorityEndpoint): Promise<URL> {
    known ??= metadata();
    const found = await known.catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    const read = secureUrl(member(found, name), settings.dangerouslyAllowHttp ? 'anywhere' : 'loopback');
    if (!read.ok) throw unavailable(issuer, `its metadata has no ${name} with https`);
    read.url.pathname += suffix;
    return read.url;
  }

  async function postAt(time: number, url: URL, parameters: Readonly<Record<string, string>>): Promise<Received> {
    const { headers = {}, parameters: proof } =
      settings.workload === undefined
        ? await proveAgent(issuer, settings, time)
        : await proveWorkload(settings.workload, { url, now: time });
    const body = new URLSearchParams({ ...parameters, client_id: settings.id, ...proof });
    return await send(settings, issuer, url, { method: 'POST', body, headers });
  }

  return {
    issuer,
    async post(endpoint, parameters) {
      const url = await addressOf(endpoint);
      let asked = now();
      let answer = await postAt(asked + ahead, url, parameters);
      const skew = answer.date === undefined ? ahead : answer.date - asked;
      const isRefused = answer.status === 401 || member(answer.json, 'error') === 'invalid_dpop_proof';
      const isWrongClock = Math.abs(skew - ahead) > clientClock.skewSeconds;
      if (isRefused && isWrongClock && skew <= clientClock.maxForwardSeconds) {
        // Once: with a clock that is wrong no assertion ever counts.
        asked = now();
        answer = await postAt(asked + skew, url, parameters);
        // Only a success proves the correction right.
        if (answer.status === 200) ahead = skew;
      }
      return { status: answer.status, json: answer.json, asked };
    },
  };
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
