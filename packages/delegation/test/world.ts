import * as fc from 'fast-check';
import { type AuthorizationDetail, detailsCover } from '../src/authorization-details.js';
import type { ActingAgent } from '../src/chain.js';
import type { DelegationClaims } from '../src/claims.js';
import type { DelegatedChainOptions, VerifiedLink } from '../src/delegated-chain.js';
import type { LinkClaims } from '../src/link.js';
import { covers, type Scope, type ScopeMatch } from '../src/scope.js';
import { agentNamed, NOW } from './support.js';

// A small vocabulary, so that lawful and unlawful values collide often.
const SCOPES: Scope = ['a', 'a:b', 'a:b:c', 'a:d', 'ab', 'e'];
const AUDIENCES = ['x', 'y', 'z'];
const NAMES = ['agent-0', 'agent-1', 'agent-2', 'agent-3', 'agent-4'];
// No detail names 'c' or 'r', so only a detail without identifier or actions covers them.
const REQUESTS = ['a', 'b', 'c'].flatMap((id) =>
  ['p', 'q', 'r'].map((action) => ({ action, resource: { type: 'Repo', id }, locations: ['x'] })),
);

/** Model of a scope: the set of scopes it covers. */
export function rights(scope: Scope, match?: ScopeMatch): Scope {
  return SCOPES.filter((wanted) => scope.some((held) => covers(held, wanted, match)));
}

/** Model of a list of details: the set of requests it covers; without a list, all. */
export function requestsOf(details: readonly AuthorizationDetail[] | undefined): readonly unknown[] {
  return REQUESTS.filter((request) => details === undefined || detailsCover([details], request) !== undefined);
}

export function isWithin(inner: readonly unknown[], outer: readonly unknown[]): boolean {
  return inner.every((one) => outer.includes(one));
}

/** The content of a delegation. */
export type Limits = Pick<LinkClaims, 'scope' | 'expiresAt' | 'audience' | 'maxHops' | 'authorizationDetails'>;

export const name: fc.Arbitrary<string> = fc.constantFrom(...NAMES);
const NAMED = { minLength: 1, maxLength: NAMES.length };
const unique = fc.shuffledSubarray(NAMES, NAMED);
const scope = fc.subarray([...SCOPES], { minLength: 1, maxLength: 3 });
const detail = fc.record(
  {
    type: fc.constant('Repo'),
    identifier: fc.constantFrom('a', 'b'),
    actions: fc.subarray(['p', 'q'], { minLength: 1 }),
  },
  { requiredKeys: ['type'] },
);
export const limits: fc.Arbitrary<Limits> = fc.record(
  {
    scope,
    expiresAt: fc.integer({ min: NOW + 1, max: NOW + 9 }),
    audience: fc.subarray(AUDIENCES, { minLength: 1 }),
    maxHops: fc.nat(5),
    authorizationDetails: fc.array(detail, { minLength: 1, maxLength: 1 }),
  },
  { requiredKeys: ['scope', 'expiresAt', 'audience'] },
);

/** The claims in which a forgery can differ from an honest delegation. */
const LIES = ['scope', 'expiresAt', 'audience', 'maxHops', 'authorizationDetails'] as const;
const FORGERIES = ['issuer', 'subject', 'signer', 'parent', 'rootless', 'key'] as const;

const step = fc.record({ limits, bound: fc.boolean(), capabilities: scope });

interface Plan {
  readonly root: 'nothing' | 'own token' | 'delegated token' | 'token with history';
  /** From the first agent to the actor. */
  readonly path: readonly string[];
  /** The first is the root, the others are the links. */
  readonly steps: readonly { readonly limits: Limits; readonly bound: boolean; readonly capabilities: Scope }[];
  readonly lies: readonly {
    readonly at: number;
    readonly about: (typeof LIES)[number] | (typeof FORGERIES)[number];
    readonly name: string;
  }[];
  readonly maxDepth: number;
  readonly scopeMatch: ScopeMatch;
}

/**
 * Possible input of a guard: a token or none, and links. Without lies, each delegator narrows its delegation to its own
 * rights. A lie may break a law, or happen to break none.
 */
export function worlds(options: { readonly maxLies: number }): fc.Arbitrary<DelegatedChainOptions> {
  return fc
    .record<Plan>({
      root: fc.constantFrom('nothing', 'own token', 'delegated token', 'token with history'),
      path: options.maxLies > 0 ? fc.oneof({ weight: 5, arbitrary: unique }, fc.array(name, NAMED)) : unique,
      steps: fc.array(step, { ...NAMED, minLength: NAMES.length }),
      lies: fc.array(fc.record({ at: fc.nat(3), about: fc.constantFrom(...LIES, ...FORGERIES), name }), {
        maxLength: options.maxLies,
      }),
      maxDepth: options.maxLies > 0 ? fc.integer({ min: 1, max: 12 }) : fc.constant(12),
      scopeMatch: fc.constantFrom('hierarchical', 'exact'),
    })
    .map(build);
}

function build(plan: Plan): DelegatedChainOptions {
  const { path, steps, scopeMatch, maxDepth } = plan;
  const lie = (at: number, about: string) => plan.lies.find((one) => one.at === at && one.about === about);
  const signers = path.map((id, at) => agentNamed(lie(at, 'signer')?.name ?? id, steps[at]?.capabilities));
  const actor = signers.at(-1) as ActingAgent;
  const confirmation = (at: number) =>
    steps[at]?.bound && { confirmation: { jkt: lie(at, 'key') ? 'another' : ((signers[at] ?? actor).keyId ?? '') } };

  const token = tokenOf(plan, confirmation(0));
  let held: Limits | undefined = token;
  const links = signers.slice(0, -1).map((delegator, at): VerifiedLink => {
    const wanted = steps[at + 1]?.limits as Limits;
    const honest = held === undefined ? withHops(wanted, path) : cutDown(wanted, held, scopeMatch);
    const told = LIES.filter((about) => lie(at, about)).map((about) => [about, wanted[about]]);
    const given = { ...honest, ...Object.fromEntries(told.filter(([, value]) => value !== undefined)) } as Limits;
    held = honest;
    const parent = lie(at, 'parent') ? 'another' : at > 0 ? `link-${at - 1}` : token && 'token';
    const claims: LinkClaims = {
      ...given,
      issuer: lie(at, 'issuer')?.name ?? path[at] ?? '',
      subject: lie(at, 'subject')?.name ?? path[at + 1] ?? '',
      issuedAt: NOW,
      id: `link-${at}`,
      ...(parent !== undefined && !lie(at, 'rootless') && { parentHash: parent }),
      ...confirmation(at + 1),
    };
    return { claims, hash: `link-${at}`, delegator };
  });
  return { root: token === undefined ? {} : { token, tokenHash: 'token' }, links, actor, scopeMatch, maxDepth };
}

function tokenOf({ root, path, steps }: Plan, confirmation: object | undefined | false): DelegationClaims | undefined {
  const [first] = steps;
  if (root === 'nothing' || first === undefined) return undefined;
  const holder = path[0] ?? '';
  const priorActors = root === 'token with history' ? [{ subject: 'agent-8' }, { subject: 'agent-9' }] : [];
  return {
    ...withHops(first.limits, path),
    issuer: 'https://id.example',
    subject: root === 'own token' ? holder : 'user_123',
    ...(root !== 'own token' && { actor: { subject: holder } }),
    priorActors,
    ...confirmation,
  };
}

/** Allows a hop for each later delegation, so that an honest world breaks no law. */
function withHops(limits: Limits, path: readonly string[]): Limits {
  const { maxHops } = limits;
  return maxHops === undefined ? limits : { ...limits, maxHops: Math.max(maxHops, path.length - 1) };
}

/** The delegation of an honest delegator: the wanted rights that it holds. */
export function cutDown(wanted: Limits, held: Limits, match?: ScopeMatch): Limits {
  const scope = wanted.scope.filter((one) => rights(held.scope, match).includes(one));
  const audience = wanted.audience.filter((one) => held.audience.includes(one));
  const { authorizationDetails: details = held.authorizationDetails } = wanted;
  const lies = !isWithin(requestsOf(details), requestsOf(held.authorizationDetails));
  const authorizationDetails = lies ? held.authorizationDetails : details;
  return {
    scope: scope.length > 0 ? scope : held.scope,
    expiresAt: Math.min(wanted.expiresAt, held.expiresAt),
    audience: audience.length > 0 ? audience : held.audience,
    ...(held.maxHops !== undefined && { maxHops: held.maxHops - 1 }),
    ...(authorizationDetails !== undefined && { authorizationDetails }),
  };
}
