import type { KeyObject } from 'node:crypto';
import { checkAudience, checkTimes, type LinkClaims, parentHash, readLink } from '@countersign/delegation';
import type { AgentDirectory } from '../../keys/directory.js';
import { findKey, type KeyHolder, type KnownKey } from '../possession/key-holder.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import { type Awaitable, bytesHeld, LruCache, maxBytesRemembered, quoteForLog, isPromise } from '@countersign/common';
import { gateLink, linkVerifies, type UntrustedLink } from './link-gate.js';
import type { VerifiedToken } from '../token/token-verifier.js';

export interface LinkVerifierOptions {
  /** Who may sign links. */
  readonly agents: AgentDirectory;
  /** How far the delegators' clocks may be from ours, in seconds. */
  readonly clockSkewSeconds: number;
  /** The longest lifetime of a link, in seconds. */
  readonly maxLifetimeSeconds: number;
}

/** A link signed by a key that counts now, of an agent that is active now. Its place in a chain is not judged yet. */
export interface SignedLink {
  readonly claims: LinkClaims;
  /** base64url SHA-256 of the link as it was sent. */
  readonly hash: string;
  readonly delegator: KeyHolder;
}

/** What else a chain of links depends on. */
export interface LinkContext {
  /** The token that the first link hands on. Its issuer may vouch for the key of the first delegator. */
  readonly token: VerifiedToken | undefined;
  /** What a link's `aud` must name at least one of, unless the issuer of its token has audiences of its own. */
  readonly audiences: readonly string[];
  /** Unix seconds. */
  readonly now: number;
}

export interface LinkVerifier {
  /** Verifies links one by one, in order: the first one that does not count refuses all. Never rejects. */
  verify(links: readonly string[], context: LinkContext): Awaitable<readonly SignedLink[] | Refusal>;
}

/** A link whose signature has verified under a key: it always will. What the key is worth is asked each time. */
interface Remembered {
  readonly claims: LinkClaims;
  readonly keyId: string;
  readonly publicKey: KeyObject;
}

const maxRemembered = 10_000;

/** Verifies self-signed links (docs/reference/wire-profile.md), each with the registered key of the agent that handed on. */
export function createLinkVerifier(options: LinkVerifierOptions): LinkVerifier {
  const { agents, clockSkewSeconds, maxLifetimeSeconds } = options;
  const remembered = new LruCache<Remembered>(maxRemembered, maxBytesRemembered);

  async function verifyLink(text: string, context: LinkContext): Promise<SignedLink | Refusal> {
    const hash = parentHash(text);
    const known = remembered.get(hash);
    const gated = known === undefined ? gateLink(text) : undefined;
    if (gated?.ok === false) return refusal('delegation_malformed', gated.problem);
    const keyId = known?.keyId ?? gated?.value.keyId ?? '';
    const finding = keyOf(keyId, context);
    const found = isPromise(finding) ? await finding : finding;
    if ('code' in found) return delegatorRefusal(found);

    const { publicKey, holder: delegator } = found;
    const again = known?.publicKey.equals(publicKey) ? known.claims : undefined;
    const claims = again ?? (await verifiedClaims(gated?.value, publicKey));
    if ('code' in claims) return claims;
    // Only now: whether a key counts is not told to who made up a link of it.
    if ('code' in delegator) return delegatorRefusal(delegator);
    const problem = checkNow(claims, context.now, context.audiences);
    if (problem !== undefined) return problem;
    if (again === undefined) remembered.set(hash, { claims, keyId, publicKey }, bytesHeld(claims));
    return { claims: inNamespace(claims, delegator, context), hash, delegator };
  }

  function keyOf(keyId: string, { token, now }: LinkContext): Awaitable<KnownKey | Refusal> {
    const vouching = token === undefined ? undefined : ({ ok: true, token } as const);
    return findKey(keyId, { agents, token: vouching, now });
  }

  /** What depends on the moment and on us; the chain law judges the rest. */
  function checkNow(claims: LinkClaims, now: number, accepted: readonly string[]): Refusal | undefined {
    if (checkAudience(claims, accepted) !== undefined) {
      const detail = `a link is for ${quoteForLog(claims.audience)}; accepted here: ${quoteForLog(accepted)}`;
      return refusal('delegation_audience_mismatch', detail);
    }
    const untimely = checkTimes(claims, { now, clockSkewSeconds, maxLifetimeSeconds });
    if (untimely === undefined) return undefined;
    const tooLong = untimely.code === 'token_lifetime_too_long';
    return refusal(tooLong ? 'delegation_invalid' : 'delegation_expired', `of a link: ${untimely.detail}`);
  }

  async function verifyAll(
    links: readonly string[],
    { token, audiences, now }: LinkContext,
  ): Promise<readonly SignedLink[] | Refusal> {
    const verified: SignedLink[] = [];
    // A link names only audiences of what it hands on, so links are for whom their token had to be for.
    const accepted = token?.issuer.audiences ?? audiences;
    for (const [index, text] of links.entries()) {
      // An issuer vouches for the key of the agent that it names, which hands on first; later ones are registered.
      const link = await verifyLink(text, { token: index === 0 ? token : undefined, audiences: accepted, now });
      if ('code' in link) return link;
      verified.push(link);
    }
    return verified;
  }

  return { verify: (links, context) => (links.length === 0 ? noLinks : verifyAll(links, context)) };
}

const noLinks: readonly SignedLink[] = [];

async function verifiedClaims(link: UntrustedLink | undefined, publicKey: KeyObject): Promise<LinkClaims | Refusal> {
  if (link === undefined || !(await linkVerifies(link, publicKey))) {
    return refusal('delegation_invalid', 'the signature of a link does not verify');
  }
  const read = readLink(link.payload);
  return read.ok ? read.link : refusal('delegation_malformed', read.detail);
}

/** An issuer names agents within its own namespace, so the agent that it vouches for goes by that name here. */
function inNamespace(claims: LinkClaims, { vouchedBy }: KeyHolder, { token }: LinkContext): LinkClaims {
  if (vouchedBy === 'directory' || token === undefined) return claims;
  return { ...claims, issuer: token.namespace + claims.issuer };
}

/** What would be wrong with the key of a sender is wrong with a link here; an outage stays an outage. */
export function delegatorRefusal(holder: Refusal): Refusal {
  switch (holder.code) {
    case 'agent_suspended':
      return refusal('delegation_revoked', 'the agent that signed a link is suspended');
    case 'key_unknown':
      return refusal('delegation_invalid', 'the key that signed a link is not known');
    case 'key_not_valid':
      return refusal('delegation_invalid', 'the key that signed a link is not valid at this time');
    default:
      return holder;
  }
}
