import {
  boundString,
  escapeUnprintable,
  isJsonObject,
  type JsonObject,
  kindOf,
  parseStrictJson,
  readBounded,
} from '@countersign/common';
import { AgentError } from '../agent-error.js';
import type { ClientProof } from './client-proof.js';

const timeoutMilliseconds = 10_000;
const maxAnswerBytes = 65_536;
const longestQuote = 300;

/** What an authority answered. */
export interface Received {
  readonly status: number;
  readonly json: JsonObject;
  /** The `Date` of the answer in unix seconds. */
  readonly date: number | undefined;
}

/** What sends requests. */
export interface SendSettings {
  readonly fetch: typeof fetch;
}

export interface SendInit {
  readonly method: 'GET' | 'POST';
  readonly body?: URLSearchParams;
  readonly headers?: ClientProof['headers'];
  readonly signal?: AbortSignal | undefined;
}

/** Sends a request to an authority. Rejects with `AgentError` `authority_unavailable`. */
export async function send(
  settings: SendSettings,
  issuer: string,
  url: URL,
  { signal, ...init }: SendInit,
): Promise<Received> {
  try {
    const timeout = AbortSignal.timeout(timeoutMilliseconds);
    const response = await settings.fetch(url.href, {
      ...init,
      headers: { accept: 'application/json', ...init.headers },
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
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
