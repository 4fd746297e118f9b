import { guardDefaults } from '@countersign/common';
import type { Ancestor } from '@countersign/delegation';
import { lifetimeProblem } from '../lifetime.js';
import type { Credentials } from './credentials.js';

/** The number of further delegations that the chain allows. */
export function hopsLeft({ token, links }: Credentials, depth: number): number {
  let left = token?.claims.maxHops ?? Infinity;
  for (const { claims } of links) left = Math.min(left - 1, claims.maxHops ?? Infinity);
  return Math.max(0, Math.min(left, guardDefaults.maxDelegationDepth - depth));
}

/** The parts of a chain that are not valid now. */
export function untimely({ token, links }: Credentials, now: number): string[] {
  const named = [
    ...(token === undefined
      ? []
      : [{ name: 'The token', claims: token.claims, most: guardDefaults.maxTokenLifetimeSeconds }]),
    ...links.map(({ claims }, index) => ({
      name: `Link ${index + 1}`,
      claims,
      most: guardDefaults.maxLinkLifetimeSeconds,
    })),
  ];
  const latest = now + guardDefaults.clockSkewSeconds;
  return named.flatMap(({ name, claims, most }) => {
    const early = 'notBefore' in claims && claims.notBefore !== undefined && claims.notBefore > latest;
    const future = claims.issuedAt !== undefined && claims.issuedAt > latest;
    return [
      ...(claims.expiresAt <= now ? [`${name} has expired.`] : []),
      ...(early ? [`${name} is not valid yet.`] : []),
      ...(future ? [`${name} was issued in the future: a clock is wrong.`] : []),
      ...lifetimeProblem(name, most, claims.issuedAt ?? now, claims.expiresAt),
    ];
  });
}

/** A signing agent and its keys. */
interface SigningAgent {
  readonly keyId: string;
  readonly keys: readonly {
    readonly agent: { readonly id: string };
    readonly key: { readonly thumbprint: string; readonly expires?: number };
  }[];
}

/** The signers' keys that expire, each once. */
export function endingKeys(signers: readonly SigningAgent[]): { agent: string; keyId: string; expiresAt: number }[] {
  return signers.flatMap(({ keys }) =>
    keys.flatMap(({ agent, key }) =>
      key.expires === undefined ? [] : [{ agent: agent.id, keyId: key.thumbprint, expiresAt: key.expires }],
    ),
  );
}

/** Every argument of `guard.revocations.revoke` that ends this chain. */
export function revocable(
  { token, links }: Credentials,
  members: readonly { readonly id: string; readonly role: string }[],
  signers: readonly SigningAgent[],
): Readonly<Record<string, string>>[] {
  const ofUser = token?.claims.actor !== undefined;
  const agents = members.filter((_, index) => index > 0 || !ofUser).map(({ id }) => ({ agent: id }));
  const { issuer, id, subject, ancestors = [] } = token?.claims ?? {};
  return [
    ...(issuer === undefined || subject === undefined ? [] : [{ subject, issuer }]),
    ...agents,
    ...signers.flatMap(({ keyId }) => (keyId === '' ? [] : [{ key: keyId }])),
    ...(issuer === undefined || id === undefined ? [] : [{ delegation: id, issuer }]),
    ...links.map(({ claims }) => ({ delegation: claims.id, issuer: claims.issuer })),
    ...(issuer === undefined ? [] : [{ issuer }, ...ancestors.flatMap((one) => namesOf(one, issuer))]),
  ];
}

function namesOf({ issuer, delegationId, keyId }: Ancestor, madeBy: string): Readonly<Record<string, string>>[] {
  return [
    ...(keyId === undefined ? [] : [{ key: keyId }]),
    ...(delegationId === undefined ? [] : [{ delegation: delegationId, issuer: issuer ?? madeBy }]),
    ...(issuer === undefined ? [] : [{ issuer }]),
  ];
}
