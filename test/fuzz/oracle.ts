import { createHash } from 'node:crypto';
import { refusalCodes } from '@countersign/core';
import { fieldsNamed } from '../support/signed-request.js';
import type { Answer } from './connection.js';
import type { Seen } from './echo.js';
import type { Original } from './original.js';
import { authority } from './world.js';

// Checks a response against the signed request and the view of the handler. It shares no code with the guard.

const knownCodes = new Set<string>(refusalCodes);
/** Statuses of Node and the frameworks, before the guard or after it has accepted a request. */
const plainStatuses = new Set([400, 404, 405, 408, 413, 414, 415, 417, 431]);
/** Fields that affect authority: they must arrive unchanged, covered or not. */
const alwaysEqual = [
  'authorization',
  'agent-delegation',
  'agent-approval',
  'dpop',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
];
/** The same for those of MCP. Beside DPoP, which binds no field, they give no authority, and the body decides. */
const ofMcp = ['mcp-method', 'mcp-name'];
/** The same for those that say how to read the body, where the proof binds it. */
const describeBody = ['content-type', 'content-encoding'];
const safeMethods = ['GET', 'HEAD', 'OPTIONS', 'QUERY'];

export type Verdict =
  | { readonly kind: 'accepted'; readonly original: Original; readonly problems: readonly string[] }
  | { readonly kind: 'refused'; readonly code: string; readonly problems: readonly string[] };

/** Checks a response; `originals` are the signed requests of its case without a response so far. */
export function judge({ status, body }: Answer, originals: readonly Original[], answersHead: boolean): Verdict {
  if (status === 200) return judgeAccepted(JSON.parse(body) as Seen, originals);
  const code = /"type":"https:[^"]*\/refusals\/(\w+)"/.exec(body)?.[1] ?? `plain ${status}`;
  const known = knownCodes.has(code) || (answersHead && status < 500) || plainStatuses.has(status);
  const problems = [
    ...(status >= 500 ? [`status ${status} ${code}`] : []),
    ...(known ? [] : [`unknown answer ${status} ${code}`]),
  ];
  return { kind: 'refused', code, problems };
}

/** Compares with each original, and returns the smallest difference. */
function judgeAccepted(seen: Seen, originals: readonly Original[]): Verdict {
  const judged = originals.map((original) => ({ original, problems: differences(seen, original) }));
  const [best] = judged.toSorted((one, other) => one.problems.length - other.problems.length);
  if (best === undefined) throw new Error('an answer to nothing that was sent');
  return { kind: 'accepted', ...best };
}

function differences(seen: Seen, original: Original): string[] {
  if (original.identity === null) return [`accepted after ${original.altered}`];
  const { identity } = original;
  return [
    ...differs('actor', seen.actor, identity.actor),
    ...differs('key', seen.keyId, identity.keyId),
    ...differs('subject', seen.subject, identity.subject),
    ...differs('chain', seen.chain, identity.chain),
    ...differs('scope', seen.scope.toSorted(), identity.scope.toSorted()),
    ...addressDifferences(seen, original),
    ...fieldDifferences(seen, original),
    ...bodyDifferences(seen, original),
  ];
}

function differs(name: string, is: unknown, signed: unknown): string[] {
  if (JSON.stringify(is) === JSON.stringify(signed)) return [];
  return [`${name} differs: ${quoted(is)}, signed ${quoted(signed)}`];
}

function addressDifferences(seen: Seen, { request, bound, proof }: Original): string[] {
  const binds = (name: string) => bound.includes(name) || (name !== '@method' && bound.includes('@target-uri'));
  const problems: string[] = [];
  const [path, query] = partsOf(seen.target);
  const [signedPath, signedQuery] = partsOf(request.target);
  if (binds('@method') ? seen.method !== request.method : !safeMethods.includes(seen.method))
    problems.push(`method differs: ${seen.method}`);
  // `htu` of DPoP is compared as a URI, so equivalent percent-encodings are equal. Harmless, because an application
  // that decodes its paths decodes both to one.
  const pathOf = (text: string) => (proof === 'dpop' ? normalized(text) : text);
  if (binds('@path') && pathOf(path) !== pathOf(signedPath)) problems.push(`path differs: ${quoted(seen.target)}`);
  if (binds('@query') && query !== signedQuery) problems.push(`query differs: ${quoted(seen.target)}`);
  // Methods, queries and paths that the proof does not bind may have any value, but never two meanings.
  if (segments(seen.urlPath) !== segments(path))
    problems.push(`dot segments: ${quoted(seen.target)} is read as ${quoted(seen.urlPath)}`);
  const host = (seen.headers.host ?? '').toLowerCase().replace(/:443$/, '');
  if (host !== authority) problems.push(`host differs: ${quoted(host)}`);
  return problems;
}

function fieldDifferences(seen: Seen, { request, bound, proof }: Original): string[] {
  const hasBody = request.body.length > 0 && proof === 'signature';
  const names = new Set([
    ...bound.filter((name) => !name.startsWith('@')),
    ...alwaysEqual,
    ...(proof === 'dpop' ? [] : ofMcp),
    ...(hasBody ? describeBody : []),
  ]);
  return [...names].flatMap((name) => {
    const signed = fieldsNamed(request, name).join(', ');
    // Lines of one field are one list, so how the application's copy joins them does not matter.
    const is = seen.headers[name] ?? '';
    const value = (Array.isArray(is) ? is.join(', ') : is).trim();
    // The hash of the token in a DPoP proof does not cover the scheme, whose case carries no meaning (RFC 9110 §11.1).
    if (proof === 'dpop' && name === 'authorization' && withLowerScheme(value) === withLowerScheme(signed)) return [];
    return listed(value) === listed(signed)
      ? []
      : [`field ${name} differs: ${quoted(value)}, signed ${quoted(signed)}`];
  });
}

function withLowerScheme(credentials: string): string {
  return credentials.replace(/^\S+/, (scheme) => scheme.toLowerCase());
}

function bodyDifferences(seen: Seen, { request, proof }: Original): string[] {
  // DPoP binds no body (RFC 9449 §11.7), and policy sees that in `context.possession`.
  if (proof === 'dpop') return [];
  if (seen.bodyHash !== null) {
    const signed = createHash('sha256').update(request.body).digest('hex');
    return seen.bodyHash === signed ? [] : ['body differs'];
  }
  // A JSON parser ignores a body of another type.
  const isJson = fieldsNamed(request, 'content-type').join() === 'application/json';
  // The value of an absent body after a parser, for any content type.
  const expected = isJson ? [request.body.toString()] : [null, 'null', '{}', '""'];
  return expected.includes(seen.parsed) ? [] : [`parsed body differs: ${quoted(seen.parsed)}`];
}

/** Path and query of a target; an absolute one names the same as its path (RFC 9112 §3.2.2). */
function partsOf(target: string): readonly [path: string, query: string] {
  const [, path = '', query = ''] = /^(?:https?:\/\/[^/?]*)?([^?]*)(.*)$/i.exec(target) ?? [];
  return [path, query === '' ? '?' : query];
}

function normalized(path: string): string {
  return path.replaceAll(/%[0-9a-f]{2}/gi, (escape) => {
    const letter = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return /[\w.~-]/.test(letter) ? letter : escape.toUpperCase();
  });
}

function segments(path: string): number {
  return path.split('/').length;
}

function listed(value: string): string {
  return value.replaceAll(/[ \t]*,[ \t]*/g, ',');
}

function quoted(value: unknown): string {
  return JSON.stringify(value ?? null).slice(0, 120);
}
