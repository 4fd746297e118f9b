import { guardMaxima, wireBounds, isPromise } from '@countersign/common';
import { type LinkClaims, parentHash, readLink } from '@countersign/delegation';
import { AgentError } from './agent-error.js';
import type { Credentials } from './credentials.js';
import { payloadOf } from './jwt-payload.js';

/**
 * Everything that a delegate needs to act, as plain JSON: send it as `JSON.stringify(bundle)`. It is useless without the
 * key of the delegate, but reveals who works for whom: send it over TLS.
 */
export interface DelegationBundle {
  readonly version: 1;
  /** The access token that the chain begins with, if it begins with one. */
  readonly token?: string;
  /** At least one link, in order from the first delegator. */
  readonly links: readonly string[];
}

const maxLinks = guardMaxima.maxDelegationDepth;
const memberNames = ['version', 'token', 'links'];

/** The delegate that accepts the bundle, and the time. */
interface Recipient {
  readonly id: string;
  readonly keyId: string;
  /** Unix seconds. */
  readonly now: number;
}

/**
 * Checks what a delegate can check of a bundle: its form, that each link follows from its parent, that nothing has
 * expired, and that the last link is for this agent and key. The API judges signatures and scopes.
 */
export function openBundle(bundle: unknown, recipient: Recipient): Credentials {
  const credentials = readForm(bundle);
  const { token, links } = credentials;
  if (token !== undefined) refuseOver(expiryOf(token), recipient.now, 'token');
  let parent = token;
  let holder: string | undefined;
  let last: LinkClaims | undefined;
  for (const link of links) {
    const claims = readClaims(link);
    const follows = claims.parentHash === (parent === undefined ? undefined : parentHash(parent));
    if (!follows || (holder !== undefined && claims.issuer !== holder)) {
      throw invalid('a link does not follow from what is before it');
    }
    refuseOver(claims.expiresAt, recipient.now, 'link');
    parent = link;
    holder = claims.subject;
    last = claims;
  }
  if (last?.subject !== recipient.id) throw invalid('it is for another agent');
  if (last.confirmation !== undefined && last.confirmation.jkt !== recipient.keyId) {
    throw invalid('it is for another key of this agent');
  }
  return credentials;
}

function readForm(bundle: unknown): Credentials {
  if (isPromise(bundle)) throw invalid("it is a promise. Write 'await' before it");
  if (typeof bundle !== 'object' || bundle === null) throw invalid('it is not an object (JSON.parse it first)');
  const { version, token, links, ...others } = bundle as Partial<Record<string, unknown>>;
  if (version !== 1 || Object.keys(others).length > 0) {
    throw invalid(`it is not { ${memberNames.join(', ')} } of version 1`);
  }
  if (token !== undefined && !isJws(token)) throw invalid('its token is not a JWT');
  if (!Array.isArray(links) || links.length === 0 || links.length > maxLinks || !links.every(isJws)) {
    throw invalid(`it must hold 1 to ${maxLinks} links`);
  }
  return { ...(token !== undefined && { token }), links: [...links] };
}

function isJws(value: unknown): value is string {
  return typeof value === 'string' && value.length <= wireBounds.tokenLength && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value);
}

function readClaims(link: string): LinkClaims {
  const read = readLink(payloadOf(link));
  if (!read.ok) throw invalid(`a link cannot be read: ${read.detail}`);
  return read.link;
}

function expiryOf(token: string): number | undefined {
  const expiry = payloadOf(token)?.['exp'];
  return typeof expiry === 'number' ? expiry : undefined;
}

function refuseOver(expiresAt: number | undefined, now: number, what: string): void {
  if (expiresAt !== undefined && expiresAt <= now) throw invalid(`a ${what} in it has expired`);
}

function invalid(why: string): AgentError {
  return new AgentError('bundle_invalid', `This bundle cannot be accepted: ${why}.`);
}
