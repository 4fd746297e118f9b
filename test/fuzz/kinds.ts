import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { delegationField } from '../support/links.js';
import { type Field, sha256Digest, type SignedRequestOptions, signedRequest } from '../support/signed-request.js';
import { boundNames, type Identity, type Original } from './original.js';
import type { Random } from './random.js';
import { linkBetween, tokenFor } from './tokens.js';
import { authority, type FuzzAgent, first, scopes, second, third, userId } from './world.js';

/** The parts of a valid request before it is signed; the signer's mutations change them. */
export interface Draft extends Omit<SignedRequestOptions, 'host' | 'covered' | 'parameters'> {
  readonly kind: string;
  readonly agent: FuzzAgent;
  readonly covered: readonly string[];
  readonly parameters: Readonly<Record<string, string | undefined>>;
  readonly links: readonly string[];
  readonly identity: Identity | null;
  readonly proof: 'signature' | 'web-bot-auth';
}

type MakeDraft = (random: Random, now: number) => Omit<Draft, 'key' | 'now' | 'parameters' | 'proof'>;

const address = ['"@method"', '"@authority"', '"@path"', '"@query"'];
const withBody = [...address, '"content-type"', '"content-digest"'];
const [readScope = ''] = scopes;
const packed = gzipSync('{"packed":true,"padding":"0123456789012345678901234567890123456789"}');
const paths = ['/raw/a?x=1&y=%2F', '/raw/b%2Fc;d=e/f?', '/raw//double', '/json/~user/(x)?q=a+b', '/raw/%C3%A9%20!$'];

/** Requests with a signature of the profile, every one of which is accepted as it is. */
export const drafts: Readonly<Record<string, MakeDraft>> = {
  alone: (random) => ({
    ...draft('alone', first),
    method: random.pick(['GET', 'DELETE', 'POST']),
    target: random.pick(paths),
  }),
  'with body': (random) => ({ ...draft('with body', first), ...jsonBody(random) }),
  token: (_random, now) => ({ ...forUser('token', first), target: '/raw/t', token: tokenFor(first, now) }),
  'bound token, body': (random, now) => ({
    ...forUser('bound token, body', first),
    ...jsonBody(random),
    covered: [...withBody, '"authorization"'],
    token: tokenFor(first, now, true),
  }),
  'token, link': (random, now) => {
    const token = tokenFor(first, now);
    const links = [linkBetween(first, second, now, token)];
    const covered = [...withBody, '"authorization"', '"agent-delegation"'];
    return { ...forUser('token, link', second, [first]), ...jsonBody(random), token, links, covered };
  },
  'token, two links': (_random, now) => {
    const token = tokenFor(first, now);
    const link = linkBetween(first, second, now, token);
    const links = [link, linkBetween(second, third, now, link)];
    const covered = [...address, '"agent-delegation"', '"authorization"'];
    return { ...forUser('token, two links', third, [first, second]), token, links, covered };
  },
  link: (_random, now) => ({
    ...draft('link', second, { subject: first.id, chain: [first.id, second.id], scope: [readScope] }),
    links: [linkBetween(first, second, now)],
    covered: [...address, '"agent-delegation"'],
  }),
  'two digests': (random) => {
    const body = random.bytes(random.between(1, 200));
    const sha512 = `sha-512=:${createHash('sha512').update(body).digest('base64')}:`;
    const digest = `${sha256Digest(body)}, ${sha512}`;
    return {
      ...draft('two digests', first),
      method: 'PUT',
      body,
      digest,
      contentType: 'text/plain',
      covered: withBody,
    };
  },
  '@target-uri': (random) => ({
    ...draft('@target-uri', first),
    method: 'PUT',
    target: random.pick(paths),
    body: random.bytes(40),
    contentType: 'application/octet-stream',
    covered: ['"@target-uri"', '"content-digest"', '"@method"', '"content-type"'],
  }),
  chunked: (random) => ({
    ...draft('chunked', first),
    method: 'POST',
    target: '/raw/chunked',
    body: random.bytes(random.between(1, 300)),
    contentType: null,
    fields: [['Transfer-Encoding', 'chunked']],
    covered: [...address, '"content-digest"'],
  }),
  encoded: () => ({
    ...draft('encoded', first),
    method: 'PUT',
    target: '/raw/packed',
    body: packed,
    fields: [['Content-Encoding', 'gzip']],
    covered: [...withBody, '"content-encoding"'],
  }),
  // Fields that change what a handler does, of which Node keeps one line (`if-unmodified-since`) or joins all.
  conditional: (random) => {
    const fields: Field[] = [
      ['If-Unmodified-Since', 'Sat, 29 Oct 2033 19:43:31 GMT'],
      ['X-Dry-Run', random.pick(['true', 'true, false'])],
      ['Accept', 'text/html, application/json'],
      ['Cookie', 'a=1'],
    ];
    const covered = [...address, ...fields.map(([name]) => `"${name.toLowerCase()}"`)];
    return { ...draft('conditional', first), method: 'DELETE', target: '/raw/records', fields, covered };
  },
};

/** Signs a draft: if it has an identity and arrives unchanged, it must be accepted. */
export function signDraft(draft: Draft, altered?: string): Original {
  const { kind, proof, identity, covered, links, fields = [] } = draft;
  const all = links.length === 0 ? fields : [...fields, delegationField(links)];
  const request = signedRequest({ ...draft, fields: all, host: authority, scheme: 'https' });
  const chunked = all.some(([name]) => name === 'Transfer-Encoding');
  return { kind, proof, request, bound: boundNames(covered), chunked, altered, identity };
}

export function completeDraft(made: ReturnType<MakeDraft>, random: Random, now: number): Draft {
  const parameters = { nonce: `"${random.text(22)}"` };
  return { ...made, key: made.agent.key, now, parameters, proof: 'signature' };
}

/** Web Bot Auth gives an identity only: no scope, no body, and only safe methods. */
export function webBotAuthDraft(random: Random, now: number): Draft {
  const covered = random.pick([['"@authority"'], ['"@authority"', '"signature-agent"'], ['"@target-uri"']]);
  const fields: Field[] = covered.length === 2 ? [['Signature-Agent', '"https://agent.fuzz.example"']] : [];
  const identity = { ...identityOf(first), scope: [] };
  const made = { ...draft('web bot auth', first), identity, covered, fields, target: '/raw/page?n=1' };
  const tag = '"web-bot-auth"';
  const { parameters } = completeDraft(made, random, now);
  return { ...made, key: first.key, now, parameters: { ...parameters, tag }, proof: 'web-bot-auth' };
}

function draft(kind: string, agent: FuzzAgent, acting: Partial<Identity> = {}) {
  const identity = { ...identityOf(agent), ...acting };
  return { kind, agent, target: '/raw/', covered: address, links: [], identity };
}

export function forUser(kind: string, agent: FuzzAgent, before: readonly FuzzAgent[] = []) {
  const chain = [userId, ...before.map(({ id }) => id), agent.id];
  const scope = before.length === 0 ? scopes : [readScope];
  return { ...draft(kind, agent, { subject: userId, chain, scope }), covered: [...address, '"authorization"'] };
}

function identityOf({ id, key }: FuzzAgent): Identity {
  return { actor: id, keyId: key.thumbprint, subject: id, chain: [id], scope: scopes };
}

function jsonBody(random: Random) {
  const body = JSON.stringify({ n: random.below(1000), text: random.text(random.below(40)) });
  return { method: 'POST', target: '/json/things?notify=owners', body, covered: withBody };
}
