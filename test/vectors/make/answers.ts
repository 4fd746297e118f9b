import { clientClock } from '@countersign/common';
import { refusal, refusalCodes, refusalResponse } from '@countersign/core';
import { now } from './principals.js';

const acceptSignature =
  'sig=("@method" "@authority" "@path" "@query" "content-type" "content-digest");created;keyid;nonce;tag="countersign"';

/** What a client does with an answer: it signs anew after so many seconds, or hands the answer over. */
interface AnewCase {
  readonly name: string;
  readonly status?: number;
  readonly type?: string;
  readonly retryAfter?: string;
  readonly body?: string;
  /** Seconds to wait; null: the request is not sent again. */
  readonly waitSeconds: number | null;
}

export const replayUnknown: readonly AnewCase[] = [
  { name: 'a restarted API', waitSeconds: 0 },
  { name: 'an API that asks for a second', retryAfter: '1', waitSeconds: 1 },
  { name: 'with parameters of its type', type: 'application/problem+json; charset=utf-8', waitSeconds: 0 },
  { name: 'another outage', body: '{"code":"replay_store_unavailable"}', waitSeconds: null },
  { name: 'another type', type: 'application/json', waitSeconds: null },
  { name: 'another status', status: 401, waitSeconds: null },
  { name: 'a date', retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT', waitSeconds: null },
  { name: 'a long time', retryAfter: '6', waitSeconds: null },
  { name: 'a time in the past', retryAfter: '-1', waitSeconds: null },
  { name: 'a body that cannot be read', body: '{"code":', waitSeconds: null },
  { name: 'null', body: 'null', waitSeconds: null },
  { name: 'a list', body: '["replay_unknown"]', waitSeconds: null },
  {
    name: 'a body longer than a refusal',
    body: `{"code":"replay_unknown","more":"${'x'.repeat(5000)}"}`,
    waitSeconds: null,
  },
];

function anew({ name, waitSeconds, ...change }: AnewCase): object {
  const { status = 503, type = 'application/problem+json', retryAfter = '0' } = change;
  const { body = '{"code":"replay_unknown"}' } = change;
  return { name, status, headers: { 'content-type': type, 'retry-after': retryAfter }, body, waitSeconds };
}

/** The answer to a request that was signed at `now` by the clock of the client. */
interface ClockCase {
  readonly name: string;
  readonly url: string;
  readonly code: string;
  /** Seconds by which the Date of the answer is later than the clock; null: it has none. */
  readonly ahead: number | null;
  /** Whether the request is signed again by the time of the answer. */
  readonly signAnew: boolean;
}

const clockCases: readonly ClockCase[] = [
  { name: 'a clock that is late', url: 'https://api.acme.dev/', code: 'signature_expired', ahead: 200, signAnew: true },
  {
    name: 'a clock that is as late as may be',
    url: 'https://api.acme.dev/',
    code: 'signature_expired',
    ahead: clientClock.maxForwardSeconds,
    signAnew: true,
  },
  // Otherwise whoever answers once gets a signature to keep until that time.
  {
    name: 'a clock that is later',
    url: 'https://api.acme.dev/',
    code: 'signature_expired',
    ahead: clientClock.maxForwardSeconds + 1,
    signAnew: false,
  },
  {
    name: 'a date far ahead',
    url: 'https://api.acme.dev/',
    code: 'signature_not_yet_valid',
    ahead: 2_592_000,
    signAnew: false,
  },
  {
    name: 'a clock that is early',
    url: 'https://api.acme.dev/',
    code: 'signature_not_yet_valid',
    ahead: -600,
    signAnew: true,
  },
  {
    name: 'a clock that is early by a year',
    url: 'https://api.acme.dev/',
    code: 'signature_not_yet_valid',
    ahead: -31_536_000,
    signAnew: true,
  },
  { name: 'on this machine', url: 'http://127.0.0.1:3000/', code: 'signature_expired', ahead: 200, signAnew: true },
  { name: 'over plain http', url: 'http://api.acme.dev/', code: 'signature_expired', ahead: 200, signAnew: false },
  { name: 'no date', url: 'https://api.acme.dev/', code: 'signature_expired', ahead: null, signAnew: false },
  { name: 'clocks that agree', url: 'https://api.acme.dev/', code: 'signature_expired', ahead: 2, signAnew: false },
  { name: 'another refusal', url: 'https://api.acme.dev/', code: 'token_expired', ahead: 200, signAnew: false },
];

function clock({ ahead, code, ...one }: ClockCase): object {
  const { status, headers, body } = response(code);
  const date = ahead === null ? {} : { date: new Date((now + ahead) * 1000).toUTCString() };
  return { ...one, signedAt: now, status, headers: { ...headers, ...date }, body, ahead };
}

function response(code: string): ReturnType<typeof refusalResponse> {
  const one = refusalCodes.find((known) => known === code);
  if (one === undefined) throw new Error(`no refusal code: ${code}`);
  return refusalResponse(refusal(one, 'not on the wire'), acceptSignature);
}

/** Codes of the audit log, never on the wire. */
const logOnly: readonly string[] = ['key_unknown', 'authorization_details_exceeded'];

const redirects = [301, 302, 303, 307, 308];

/** answers.json: every refusal as it comes over the wire, and when a request is signed anew, and answers that are refused. */
export function answerVectors(): object {
  // The text of a client says what to do; here are the facts that it must read.
  const refusals = refusalCodes
    .filter((code) => !logOnly.includes(code))
    .map((code) => {
      const { title } = refusal(code, 'not on the wire');
      return { code, title, ...response(code) };
    });
  return {
    refusals,
    replayUnknown: replayUnknown.map(anew),
    clock: clockCases.map(clock),
    redirects: redirects.map((status) => ({
      status,
      headers: { location: 'https://evil.example/' },
      code: 'redirect_refused',
    })),
  };
}
