import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DelegatedChain } from '../src/chain.js';
import { delegatedChain, type DelegatedChainOptions } from '../src/delegated-chain.js';
import { isWithin, requestsOf, rights, worlds } from './world.js';

/** Every delegation in order, the token first. */
function delegationsOf({ root, links }: DelegatedChainOptions) {
  const claims = links.map((link) => link.claims);
  return root.token === undefined ? claims : [root.token, ...claims];
}

function idsOf({ root: { token }, links, actor }: DelegatedChainOptions): readonly string[] {
  const start =
    token === undefined
      ? [links[0]?.claims.issuer ?? actor.id]
      : [
          token.subject,
          ...token.priorActors.map((prior) => prior.subject),
          ...(token.actor ? [token.actor.subject] : []),
        ];
  return [...start, ...links.map((link) => link.claims.subject)];
}

/** Each earlier delegation with each later one, and the distance between them. */
function pairsOf<T>(list: readonly T[]): readonly (readonly [T, T, number])[] {
  return list.flatMap((early, i) => list.slice(i + 1).map((late, j) => [early, late, j + 1] as const));
}

// An independent statement of the laws, one predicate each.
const LAWS: Readonly<Record<string, (world: DelegatedChainOptions) => boolean>> = {
  'each delegation is used by the agent to which it was given, with the key to which it was bound': (world) => {
    const users = [...world.links.map((link) => link.delegator), world.actor];
    const first = world.root.token === undefined ? 1 : 0;
    return delegationsOf(world).every((one, index) => {
      const user = users[index + first];
      const holder = ('actor' in one ? one.actor?.subject : undefined) ?? one.subject;
      return holder === user?.id && (one.confirmation === undefined || one.confirmation.jkt === user.keyId);
    });
  },
  'each link is signed by its delegator': ({ links }) =>
    links.every(({ claims, delegator }) => claims.issuer === delegator.id),
  'each link names what it hands on': ({ root, links }) => {
    const hashes = [root.tokenHash, ...links.map((link) => link.hash)];
    return links.every((link, index) => link.claims.parentHash === hashes[index]);
  },
  'scope only narrows': (world) =>
    pairsOf(delegationsOf(world)).every(([early, late]) =>
      isWithin(rights(late.scope, world.scopeMatch), rights(early.scope, world.scopeMatch)),
    ),
  'expiry only shortens': (world) =>
    pairsOf(delegationsOf(world)).every(([early, late]) => late.expiresAt <= early.expiresAt),
  'audience only narrows': (world) =>
    pairsOf(delegationsOf(world)).every(([early, late]) => isWithin(late.audience, early.audience)),
  'authorization_details only narrow': (world) =>
    pairsOf(delegationsOf(world).filter((one) => one.authorizationDetails !== undefined)).every(([early, late]) =>
      isWithin(requestsOf(late.authorizationDetails), requestsOf(early.authorizationDetails)),
    ),
  'max_hops is respected, and only shrinks': (world) =>
    pairsOf(delegationsOf(world)).every(
      ([{ maxHops: early = Infinity }, { maxHops: late = -Infinity }, distance]) =>
        distance <= early && late <= early - distance,
    ),
  'no agent twice': (world) => new Set(idsOf(world)).size === idsOf(world).length,
  'no deeper than allowed': (world) => idsOf(world).length - 1 <= world.maxDepth,
};

const isLawful = (world: DelegatedChainOptions): boolean => Object.values(LAWS).every((law) => law(world));

describe('the laws of delegation', () => {
  it('C1–C6 accept a chain exactly when it keeps every law, forged or not', () => {
    fc.assert(
      fc.property(worlds({ maxLies: 2 }), (world) => {
        expect(delegatedChain(world).ok).toBe(isLawful(world));
      }),
      { numRuns: 1500 },
    );
  });

  it('refuse no chain of honest delegators', () => {
    fc.assert(
      fc.property(worlds({ maxLies: 0 }), (world) => {
        expect(delegatedChain(world)).toMatchObject({ ok: true });
      }),
      { numRuns: 300 },
    );
  });

  it.each(Object.entries(LAWS))('are each broken alone by some forgery: %s', (law, holds) => {
    const others = Object.entries(LAWS).filter(([other]) => other !== law);
    const [broken] = fc.sample(
      worlds({ maxLies: 2 }).filter((world) => !holds(world) && others.every(([, other]) => other(world))),
      { numRuns: 1, seed: 1 },
    );
    expect(broken && delegatedChain(broken).ok).toBe(false);
  });

  it('grant the actor no right that a member of the chain does not have [C6]', () => {
    fc.assert(
      fc.property(worlds({ maxLies: 2 }), (world) => {
        const result = delegatedChain(world);
        fc.pre(result.ok);
        expect(rights(result.effectiveScope, world.scopeMatch)).toEqual(allowedBy(world));
        expect(result.chain.map((hop) => hop.id).toSorted()).toEqual([...idsOf(world)].toSorted());
        expect(result.chain.at(-1)).toMatchObject({ id: world.actor.id, keyId: world.actor.keyId });
        expect(detailsOf(result)).toEqual(
          delegationsOf(world)
            .map((one) => one.authorizationDetails)
            .filter((details) => details !== undefined),
        );
      }),
      { numRuns: 500 },
    );
  });
});

/** The rights that every delegation grants and every signer has. */
function allowedBy(world: DelegatedChainOptions): readonly string[] {
  const { links, actor, scopeMatch } = world;
  const signers = [actor, ...links.map((link) => link.delegator)];
  const everyone = [...delegationsOf(world).map((one) => one.scope), ...signers.map((signer) => signer.capabilities)];
  const [first = [], ...rest] = everyone.map((scope) => rights(scope, scopeMatch));
  return first.filter((right) => rest.every((other) => other.includes(right)));
}

function detailsOf({ authorizationDetails = [] }: DelegatedChain): readonly unknown[] {
  return authorizationDetails;
}
