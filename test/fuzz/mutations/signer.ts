import { linkOf } from '../../support/links.js';
import type { Draft } from '../kinds.js';
import type { Random } from '../random.js';
import { claimsFor, issued, linkClaims, sharedSince } from '../tokens.js';
import { first, origin, second, thief } from '../world.js';
import { mutateJwt } from './jwt.js';

/** Changes a request before it is signed: the sender itself is the attacker, and its signature is genuine. */
type SignerMutation = (draft: Draft, random: Random, now: number) => Draft;

/** A registered agent signs, with its own key, a request with the token and the links of another. */
const signWithStolenCredentials: SignerMutation = (draft, random) => {
  const stolen = draft.token !== undefined || draft.links.length > 0;
  if (!stolen) return draft;
  const keyid = random.chance(0.3) ? { keyid: `"${draft.key.thumbprint}"` } : {};
  return { ...draft, key: thief.key, parameters: { ...draft.parameters, ...keyid }, identity: null };
};

/** Signs with a key under the name of another's. */
const claimAnotherKey: SignerMutation = (draft) => {
  const keyid = `"${draft.key.thumbprint}"`;
  return { ...draft, key: thief.key, parameters: { ...draft.parameters, keyid }, identity: null };
};

/** The token is altered, and the signature of the request is made over the altered one. */
const alterToken: SignerMutation = (draft, random) => {
  if (draft.token === undefined) return draft;
  return changed(draft, { token: mutateJwt(draft.token, random) });
};

const alterLink: SignerMutation = (draft, random) => {
  if (draft.links.length === 0) return draft;
  const at = random.below(draft.links.length);
  const links = draft.links.map((link, index) => (index === at ? mutateJwt(link, random) : link));
  return changed(draft, { links });
};

/** Links are dropped, doubled or reordered. */
const rearrangeLinks: SignerMutation = (draft, random) => {
  const { links } = draft;
  if (links.length === 0) return draft;
  const arranged = random.pick([links.slice(1), links.slice(0, -1), [...links, ...links], links.toReversed()]);
  if (arranged.join() === links.join()) return draft;
  return { ...draft, links: arranged, identity: null };
};

/** The issuer really signed this token, but it is not one for this request. */
const wrongToken: SignerMutation = (draft, random, now) => {
  if (draft.token === undefined) return draft;
  const iat = sharedSince(now);
  const claims = claimsFor(first, iat);
  const wrong = random.pick<Readonly<Record<string, unknown>>>([
    { aud: 'http://other.example' },
    { aud: [] },
    { aud: `${origin}/` },
    { iss: 'https://id.fuzz.example/' },
    { exp: iat - 60 },
    { exp: iat + 1e6 },
    { exp: String(iat + 600) },
    { nbf: iat + 900 },
    { iat: iat + 900 },
    { act: { sub: thief.id } },
    { act: [{ sub: first.id }] },
    { act: undefined },
    { act: { sub: first.id, iss: 'https://other.example' } },
    { act: { sub: first.id, act: { sub: first.id } } },
    { sub: first.id },
    { sub: '' },
    { sub: ['user_1'] },
    { cnf: { jkt: thief.key.thumbprint } },
    { cnf: {} },
    { cnf: { 'x5t#S256': 'AAAA' } },
    { scope: 7 },
    { status: { other: 1 } },
    { max_hops: -1 },
  ]);
  const typ = random.chance(0.1) ? { typ: random.pick(['JWT', 'dpop+jwt', 'id_token+jwt']) } : {};
  return { ...draft, token: issued({ ...claims, ...wrong }, typ), identity: null };
};

const beyondCapabilities = { scope: 'admin:all' };

/** The delegator really signed this link, but it gives what it may not. */
const wrongLink: SignerMutation = (draft, random, now) => {
  if (draft.links.length === 0) return draft;
  const iat = sharedSince(now);
  const wrong = random.pick<Readonly<Record<string, unknown>>>([
    beyondCapabilities,
    { scope: '' },
    { aud: 'http://other.example' },
    // Only a parent bounds the audience.
    { aud: [draft.token === undefined ? 'https://other.example' : origin, 'https://other.example'] },
    { exp: iat + 5000 },
    { exp: iat - 60 },
    { iss: thief.id },
    { sub: thief.id },
    { pth: 'AAAA' },
    { max_hops: -1 },
    { cnf: { jkt: thief.key.thumbprint } },
    { act: { sub: second.id } },
    { jti: undefined },
  ]);
  const parent = draft.token;
  const claims = { ...linkClaims(first, second, iat), ...wrong };
  const link = linkOf(first, second.id, { audience: origin, parent, claims });
  const links = [link, ...draft.links.slice(1)];
  // Harmless: without a token a first link may name any scope, and what the delegator may not do itself falls away.
  const fallsAway = draft.token === undefined && draft.identity !== null && wrong === beyondCapabilities;
  return { ...draft, links, identity: fallsAway ? { ...draft.identity, scope: [] } : null };
};

/** Less is covered than the profile asks for, or components stand in another order (which is allowed). */
const changeCovered: SignerMutation = (draft, random) => {
  const { covered } = draft;
  const at = random.below(covered.length);
  const kept = covered.filter((_, index) => index !== at);
  const component = covered[at] ?? '';
  const dropped = { ...draft, covered: kept, ...(isRequired(component) ? { identity: null } : {}) };
  return random.pick<Draft>([
    dropped,
    { ...draft, covered: covered.toReversed() },
    { ...draft, covered: [...covered, component], identity: null },
    { ...draft, covered: [...kept, `${component};req`], identity: null },
    { ...draft, covered: [...kept, component.toUpperCase()], identity: null },
    { ...draft, covered: [...covered, '"x-absent"'], identity: null },
    { ...draft, covered: [...covered, '"@unknown"'], identity: null },
    { ...draft, covered: [], identity: null },
  ]);
};

const changeParameters: SignerMutation = (draft, random, now) => {
  const at = Math.floor(now);
  const wrong = random.pick<Readonly<Record<string, string | undefined>>>([
    { created: undefined },
    { created: String(at + 1000) },
    { created: String(at - 1000), expires: String(at + 60) },
    { created: `${at}.5` },
    { created: `"${at}"` },
    { created: '-1' },
    { expires: String(at - 30) },
    { expires: `"${at + 60}"` },
    { keyid: undefined },
    { keyid: '"unknown"' },
    { keyid: `"../${draft.key.thumbprint}"` },
    { tag: undefined },
    { tag: '"Countersign"' },
    { tag: 'countersign' },
    { alg: '"hmac-sha256"' },
    { alg: '"none"' },
    { nonce: '"short"' },
    { nonce: '""' },
    { nonce: `"${'n'.repeat(300)}"` },
    { nonce: '7' },
  ]);
  return { ...draft, parameters: { ...draft.parameters, ...wrong }, identity: null };
};

const wrongDigest: SignerMutation = (draft, random) => {
  if (draft.body === undefined) return draft;
  const other = `:${random.bytes(32).toString('base64')}:`;
  const digest = random.pick([
    `sha-256=${other}`,
    `sha-512=${other}`,
    `md5=${other}`,
    'sha-256=:AA==:',
    'sha-256=7',
    '',
  ]);
  return { ...draft, digest, identity: null };
};

/** Dot segments that the sender itself signed: policy and another reader would see two paths. */
const dotSegments: SignerMutation = (draft, random) => {
  const target = random.pick([
    '/raw/public/../admin',
    '/raw/%2e%2e/admin',
    '/raw/./x',
    '/json/a/%2E./b',
    '/raw/a/..',
    '/raw/..\\x',
    '/raw/public/..%2fadmin',
    '/raw/..;x/admin',
  ]);
  // A proof that binds no path is as good for a path without them.
  const bindsPath = draft.covered.some((component) => component === '"@path"' || component === '"@target-uri"');
  return { ...draft, target, ...(bindsPath ? { identity: null } : {}) };
};

export const signerMutations: Readonly<Record<string, SignerMutation>> = {
  signWithStolenCredentials,
  claimAnotherKey,
  alterToken,
  alterLink,
  rearrangeLinks,
  wrongToken,
  wrongLink,
  changeCovered,
  changeParameters,
  wrongDigest,
  dotSegments,
};

/** A credential that differs from what was issued, by one character even, is none. */
function changed(draft: Draft, change: Pick<Draft, 'token'> | Pick<Draft, 'links'>): Draft {
  const mutant = { ...draft, ...change } as Draft;
  // White space around the members of a List means nothing (RFC 9651 §4.2.1).
  const links = mutant.links.map((link) => link.trim());
  const same = mutant.token === draft.token && links.join() === draft.links.join();
  return same ? draft : { ...mutant, identity: null };
}

/** What the profile asks for of the drafts of this suite: all they cover but fields of the application's own. */
function isRequired(component: string): boolean {
  return !['"if-unmodified-since"', '"x-dry-run"', '"accept"', '"cookie"'].includes(component);
}
