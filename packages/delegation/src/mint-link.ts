import { randomUUID } from 'node:crypto';
import type { AuthorizationDetail } from './authorization-details.js';
import { isBase64urlOf32Bytes } from './confirmation.js';
import { DelegationError } from './error.js';
import { LINK_TYPE, type LinkClaims, parentHash, readLink } from './link.js';
import { refuseUnknownMembers, refuseUnknownOptions, toLifetime, toScopeClaim } from './mint-options.js';
import type { Scope } from './scope.js';

/** Signs links with an Ed25519 key in memory, in hardware or at a remote service. */
export interface LinkSigner {
  /** RFC 7638 thumbprint of the registered public key. */
  readonly keyId: string;
  sign(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Options of {@link mintLink}. */
export interface MintLinkOptions {
  /** `iss`: the delegator. */
  readonly delegator: string;
  /** Signs with the registered key of the delegator. */
  readonly signer: LinkSigner;
  /** `sub`: the delegate. */
  readonly delegate: string;
  /** The access token or link that is delegated, exactly as sent. Default: the delegator's own rights. */
  readonly parent?: string;
  /** At least one scope. */
  readonly scope: Scope | string;
  /** `aud`: the API or APIs that accept the link; a subset of its parent's. */
  readonly audience: string | readonly string[];
  /** Whole seconds until the link expires, at most 24 hours. */
  readonly lifetimeSeconds: number;
  /** Whole unix seconds: `Math.floor(Date.now() / 1000)`. */
  readonly now: number;
  /** `authorization_details` (RFC 9396). Default: none, so that those of the parent apply. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** `max_hops`: the number of links that may follow; 0 forbids further delegation. Default: the limit of the parent. */
  readonly maxHops?: number;
  /** `cnf.jkt`: RFC 7638 thumbprint of the one key with which the delegate may use the link. */
  readonly delegateKeyThumbprint?: string;
  /** `jti`. Default: a random UUID. */
  readonly id?: string;
}

/** The options that become claims, without the signer. */
export type LinkDraft = Omit<MintLinkOptions, 'signer'>;

const KNOWN_OPTIONS: Readonly<Record<keyof MintLinkOptions, true>> = {
  delegator: true,
  signer: true,
  delegate: true,
  parent: true,
  scope: true,
  audience: true,
  lifetimeSeconds: true,
  now: true,
  authorizationDetails: true,
  maxHops: true,
  delegateKeyThumbprint: true,
  id: true,
};

const ED25519_SIGNATURE_LENGTH = 64;

const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Mints a link: a JWT by which an agent delegates part of its rights to another, offline. Claims that {@link readLink}
 * would refuse cannot be minted. The API checks that the link only narrows its parent.
 *
 * @throws DelegationError (as a rejection) when an option is wrong or the signer cannot sign; `code` says which.
 *
 * @example
 * const link = await mintLink({
 *   delegator: 'agent-orchestrator',
 *   signer,
 *   delegate: 'agent-test-runner',
 *   parent: accessToken,
 *   scope: 'repo:read',
 *   audience: 'https://api.acme.dev',
 *   lifetimeSeconds: 60,
 *   now: Math.floor(Date.now() / 1000),
 * });
 */
export async function mintLink(options: MintLinkOptions): Promise<string> {
  refuseUnknownOptions(options, KNOWN_OPTIONS);
  return signLink(draft(options).payload, options.signer);
}

/**
 * Returns the claims of a link before it is signed, so that a program that knows the parent can check with
 * `delegatedChain` that the link only narrows it.
 *
 * @throws DelegationError when an option is wrong; `code` says which.
 *
 * @example
 * const claims = draftLink({ delegator: 'agent-a', delegate: 'agent-b', scope: 'repo:read', audience, lifetimeSeconds: 60, now });
 * claims.expiresAt === now + 60;
 */
export function draftLink(options: LinkDraft): LinkClaims {
  refuseUnknownOptions(options, KNOWN_OPTIONS);
  return draft(options).claims;
}

function draft(options: LinkDraft): { readonly payload: object; readonly claims: LinkClaims } {
  const { delegator, delegate, audience, parent, authorizationDetails, maxHops, id = randomUUID() } = options;
  const { delegateKeyThumbprint } = options;
  refuseUnknownMembers(authorizationDetails);
  const payload = {
    iss: delegator,
    sub: delegate,
    aud: audience,
    scope: toScopeClaim(options.scope),
    ...(authorizationDetails !== undefined && { authorization_details: authorizationDetails }),
    ...toLifetime(options),
    jti: id,
    ...(parent !== undefined && { pth: toParentHash(parent) }),
    ...(maxHops !== undefined && { max_hops: maxHops }),
    ...(delegateKeyThumbprint !== undefined && { cnf: { jkt: delegateKeyThumbprint } }),
  };
  // Parse the new claims with our own parser, so that minting and reading cannot drift apart.
  const read = readLink(payload);
  if (!read.ok) throw new DelegationError(read.code, read.detail);
  return { payload, claims: read.link };
}

/** A hash of `Bearer eyJ…`, or of a token with a line end, would match no token as sent. */
function toParentHash(parent: string): string {
  if (typeof parent === 'string' && COMPACT_JWS.test(parent)) return parentHash(parent);
  throw new DelegationError('parent_unusable', 'parent must be an access token or a link, exactly as it is sent');
}

async function signLink(payload: object, signer: LinkSigner): Promise<string> {
  if (!isBase64urlOf32Bytes(signer?.keyId)) throw unusable('signer.keyId must be an RFC 7638 thumbprint');
  const header = { typ: LINK_TYPE, alg: 'EdDSA', kid: signer.keyId };
  const signed = `${encode(header)}.${encode(payload)}`;
  const signature = await signWith(signer, Buffer.from(signed));
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
}

async function signWith(signer: LinkSigner, bytes: Uint8Array): Promise<Uint8Array> {
  let signature: unknown;
  try {
    signature = await signer.sign(bytes);
  } catch (cause) {
    throw unusable('the signer failed', cause);
  }
  if (signature instanceof Uint8Array && signature.length === ED25519_SIGNATURE_LENGTH) return signature;
  throw unusable('the signer must give an Ed25519 signature of 64 bytes');
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function unusable(message: string, cause?: unknown): DelegationError {
  return new DelegationError('key_unusable', message, { cause });
}
