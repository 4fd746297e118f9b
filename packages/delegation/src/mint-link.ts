import { randomUUID } from 'node:crypto';
import type { AuthorizationDetail } from './authorization-details.js';
import { isBase64urlOf32Bytes } from './confirmation.js';
import { DelegationError } from './error.js';
import { LINK_TYPE, type LinkClaims, parentHash, readLink } from './link.js';
import { refuseUnknownMembers, refuseUnknownOptions, toLifetime, toScopeClaim } from './mint-options.js';
import type { Scope } from './scope.js';

/** What signs a link: a key in memory, in hardware or at a remote service. The key is Ed25519. */
export interface LinkSigner {
  /** RFC 7638 thumbprint of its public key, as it is registered. */
  readonly keyId: string;
  sign(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** What {@link mintLink} puts into a link. */
export interface MintLinkOptions {
  /** `iss`: the agent that hands on. */
  readonly delegator: string;
  /** Signs with the registered key of the delegator. */
  readonly signer: LinkSigner;
  /** `sub`: the agent to which it hands on. */
  readonly delegate: string;
  /** What it hands on, exactly as it is sent: an access token or a link. Without it, what it may do of its own. */
  readonly parent?: string;
  /** At least one scope. */
  readonly scope: Scope | string;
  /** `aud`: the API or APIs at which the link counts; not more than at which its parent does. */
  readonly audience: string | readonly string[];
  /** Whole seconds until the link expires, at most 24 hours. */
  readonly lifetimeSeconds: number;
  /** Whole unix seconds: `Math.floor(Date.now() / 1000)`. */
  readonly now: number;
  /** `authorization_details` (RFC 9396). Default: none, so that those of the parent hold. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** `max_hops`: how many links may follow; 0 forbids to hand it on. Default: as many as the parent leaves. */
  readonly maxHops?: number;
  /** `cnf.jkt`: RFC 7638 thumbprint of the one key with which the delegate may use the link. */
  readonly delegateKeyThumbprint?: string;
  /** `jti`. Default: a random UUID. */
  readonly id?: string;
}

/** What a link is to say, whoever signs it. */
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
 * Mints a link: a JWT with which an agent hands on to another less than it holds, without asking anybody. What
 * {@link readLink} would refuse cannot be minted. Whether it is less is for the API to judge, which knows the parent.
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
 * The claims that a link of these options would have, before anything is signed: so that who knows the parent can judge by
 * `delegatedChain` whether it is less.
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
  // Our own reader judges what is minted, so that the two cannot drift apart.
  const read = readLink(payload);
  if (!read.ok) throw new DelegationError(read.code, read.detail);
  return { payload, claims: read.link };
}

/** A hash of `Bearer eyJ…`, or of a token with a line end, would match nothing that is ever sent. */
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
