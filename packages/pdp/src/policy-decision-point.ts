import { failed, type FailedReading, parseStrictJson, readBounded, type Reading } from '@countersign/common';
import { CircuitBreaker } from './circuit-breaker.js';
import { type PdpOptions, type PdpSettings, readPdpOptions } from './options.js';
import { PdpUnavailableError } from './unavailable.js';

/** An answer: a JSON value, or a problem that leaves no decision to read, and the HTTP status. */
export type PdpAnswer = { readonly ok: true; readonly json: unknown } | (FailedReading & { readonly status: number });

/** Statuses by which a server, or a proxy in front of it, reports an outage. */
const outages: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * A policy decision point behind HTTP. An outage rejects with a `PdpUnavailableError` and counts for the circuit breaker.
 * An answer, however malformed, does not: a request that makes a policy fail must not block all others.
 */
export class PolicyDecisionPoint {
  readonly #settings: PdpSettings;
  readonly #breaker: CircuitBreaker;

  /** Throws a `ConfigError` that starts with `owner`. */
  constructor(owner: string, options: PdpOptions) {
    this.#settings = readPdpOptions(owner, options);
    this.#breaker = new CircuitBreaker(this.#settings);
  }

  get scopeVocabulary(): readonly string[] {
    return this.#settings.scopeVocabulary;
  }

  /** Posts a JSON text to a path below its address. */
  post(path: string, json: string): Promise<PdpAnswer> {
    return this.#breaker.run(() => this.#exchange(new URL(path, this.#settings.base), json));
  }

  async #exchange(url: URL, body: string): Promise<PdpAnswer> {
    const { headers, timeoutMilliseconds, maxAnswerBytes } = this.#settings;
    // One time limit for the whole exchange: a slowly dripping answer cannot outlast it.
    const signal = AbortSignal.timeout(timeoutMilliseconds);
    let response: Response;
    let bytes: Uint8Array | undefined;
    try {
      // A redirect is not followed: neither the question nor the token goes elsewhere.
      response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
      bytes = await readBounded(response.body, maxAnswerBytes);
    } catch (error) {
      throw new PdpUnavailableError(`it cannot be reached: ${reasonOf(error)}`);
    }
    if (outages.has(response.status)) throw new PdpUnavailableError(`it answered ${response.status}`);
    const read = readJson(response, bytes);
    return read.ok ? { ok: true, json: read.value } : { ...read, status: response.status };
  }
}

function readJson({ status, headers }: Response, bytes: Uint8Array | undefined): Reading<unknown> {
  if (status !== 200) return failed(`it answered ${status}`);
  if (bytes === undefined) return failed('its answer is too long');
  if (!/^application\/json\s*(?:;|$)/i.test(headers.get('content-type') ?? '')) return failed('its answer is not JSON');
  // If a member occurs twice, another reader could see another decision.
  const read = parseStrictJson(bytes);
  return read.ok ? read : failed(`its answer cannot be read: ${read.problem}`);
}

/** For a network error only its code: the text may hold addresses. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return 'it took too long';
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}
