import { LINK_TYPE, readClaims } from '@countersign/delegation';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { duration, moment, show } from '../text.js';
import { guardDefaults, isJsonObject, type JsonObject } from '@countersign/common';
import { lifetimeProblem } from './lifetime.js';
import type { Report, Row } from './report.js';
import { headerProblems } from './token-header.js';

/** Deeper than any guard accepts, so that the report can show the excess. */
const maxActorsShown = 20;

/** Whether the text has the shape of a JWS in compact serialisation. */
export function looksLikeToken(text: string): boolean {
  return /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(text);
}

/** Whether its header has the `typ` of a link. */
export function isLink(token: string): boolean {
  return decode(token)?.header['typ'] === LINK_TYPE;
}

/** Explains a JWT; undefined if header or payload is not JSON. */
export function explainToken(token: string, now: number): Report | undefined {
  const decoded = decode(token);
  if (decoded === undefined) return undefined;
  const { header, payload } = decoded;
  return {
    title: 'JSON Web Token',
    caution: 'Its signature was NOT verified: anyone could have written this.',
    sections: [
      { heading: 'header', rows: rowsOf(header, headerMeanings) },
      { heading: 'claims', rows: rowsOf(without(payload, ['iat', 'nbf', 'exp', 'act', 'cnf']), claimMeanings) },
      { heading: 'who acts for whom', rows: chainRows(payload) },
      { heading: 'times', rows: timeRows(payload, now) },
      { heading: 'bound to', rows: confirmationRows(payload['cnf']) },
    ],
    warnings: [...headerProblems(header), ...claimWarnings(payload, now)],
  };
}

function decode(token: string): { readonly header: JsonObject; readonly payload: JsonObject } | undefined {
  try {
    return { header: { ...decodeProtectedHeader(token) }, payload: { ...decodeJwt(token) } };
  } catch {
    return undefined;
  }
}

const headerMeanings: Readonly<Record<string, string>> = {
  typ: 'what kind of token it is',
  alg: 'algorithm of its signature',
  kid: "which of the issuer's keys signed it",
};

const claimMeanings: Readonly<Record<string, string>> = {
  iss: 'who issued it',
  sub: 'on whose behalf it is used',
  aud: 'the API it is meant for',
  scope: 'what it allows, at most',
  client_id: 'the OAuth client it was issued to',
  jti: 'id of this token',
  may_act: 'who could become the actor; it names no actor',
};

function rowsOf(object: JsonObject, meanings: Readonly<Record<string, string>>): Row[] {
  return Object.entries(object).map(([name, value]) => {
    const meaning = Object.hasOwn(meanings, name) ? meanings[name] : undefined;
    return meaning === undefined ? [show(name), show(value)] : [show(name), show(value), `(${meaning})`];
  });
}

function chainRows(payload: JsonObject): Row[] {
  const actors = actorsOf(payload['act']);
  if (actors.length === 0) {
    const meaning = isOwnToken(payload) ? '(the token is its own: it names no actor)' : '(the token names no actor)';
    return [['subject', subjectOf(payload), meaning]];
  }
  const past = actors.slice(1).toReversed();
  return [
    ['subject', subjectOf(payload)],
    ...past.map((actor): Row => ['earlier actor', actor, '(history only)']),
    ['actor', actors[0] ?? '', '(must be the agent that signs the request)'],
  ];
}

function subjectOf({ sub }: JsonObject): string {
  return sub === undefined ? '(none)' : show(sub);
}

/** The `sub` of each actor, the current one first (RFC 8693 §4.1). */
function actorsOf(act: unknown): string[] {
  const actors: string[] = [];
  let current = act;
  while (current !== undefined && actors.length < maxActorsShown) {
    actors.push(isJsonObject(current) && 'sub' in current ? show(current['sub']) : `malformed: ${show(current)}`);
    current = isJsonObject(current) ? current['act'] : undefined;
  }
  return actors;
}

function timeRows({ iat, nbf, exp }: JsonObject, now: number): Row[] {
  const rows: Row[] = [];
  if (iat !== undefined) rows.push(['issued', moment(iat, now)]);
  if (nbf !== undefined) rows.push(['not before', moment(nbf, now)]);
  if (exp !== undefined) rows.push(['expires', moment(exp, now)]);
  if (typeof iat === 'number' && typeof exp === 'number' && exp > iat) rows.push(['lifetime', duration(exp - iat)]);
  return rows;
}

function confirmationRows(cnf: unknown): Row[] {
  if (cnf === undefined) return [['any key', 'of the agent it names', '(no cnf)']];
  if (!isJsonObject(cnf)) return [['cnf', show(cnf)]];
  return Object.entries(cnf).map(([name, value]) => {
    if (name === 'jkt') return ['the key', show(value), '(only requests signed by this keyid may use the token)'];
    if (name === 'jwk') return ['the key', show(value), '(the issuer vouches for it)'];
    return [show(name), show(value)];
  });
}

function claimWarnings(payload: JsonObject, now: number): string[] {
  const { exp, nbf, iat } = payload;
  const { clockSkewSeconds, maxTokenLifetimeSeconds } = guardDefaults;
  const warnings: string[] = [];
  if (typeof exp === 'number' && exp <= now) warnings.push('It has expired.');
  if (typeof nbf === 'number' && nbf > now + clockSkewSeconds) warnings.push('It is not valid yet.');
  if (typeof iat === 'number' && iat > now + clockSkewSeconds)
    warnings.push('It was issued in the future: a clock is wrong.');
  if (typeof exp === 'number') {
    const issuedAt = typeof iat === 'number' ? iat : now;
    warnings.push(...lifetimeProblem('It', maxTokenLifetimeSeconds, issuedAt, exp));
  }
  const read = readClaims(payload);
  if (!read.ok) warnings.push(`A guard refuses its claims: ${read.code} (${show(read.detail)}).`);
  const { act, sub } = payload;
  if (act === undefined && sub !== undefined && !isOwnToken(payload)) warnings.push(ofUser(show(sub)));
  return warnings;
}

/** Whether its subject is its client (RFC 9068 §2.2). */
function isOwnToken({ sub, client_id: client }: JsonObject): boolean {
  return sub !== undefined && sub === client;
}

function ofUser(subject: string): string {
  return (
    `It names no actor: only an agent with the id ${subject} may use it. If that is a user, an agent that sends it is ` +
    'refused; exchange it for a token that names the agent (RFC 8693).'
  );
}

function without(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}
