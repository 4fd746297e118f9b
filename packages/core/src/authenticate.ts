import { covers } from '@countersign/signature';
import type { AuditEvent } from './audit/event.js';
import type { BodyVerdict } from './body/request-body.js';
import { verifyBody } from './body/verify-body.js';
import { type Caller, sealCaller } from './caller.js';
import { fieldValues } from './http/fields.js';
import { addressedOrigin } from './http/origin.js';
import type { HttpRequest } from './http/request.js';
import { findKeyHolder } from './keys/key-holder.js';
import type { Settings } from './options.js';
import { profileTag } from './profile.js';
import { type Refusal, refusal } from './refusal.js';
import { nonceProblem, reserveNonce } from './replay/reserve-nonce.js';
import type { Standing } from './revocation/standing.js';
import { type HeldKey, verifySignedRequest } from './signed-request.js';
import { type ActingChain, actingChain } from './token/acting-chain.js';
import { type AuthorizationReading, readAuthorization } from './token/authorization-header.js';
import { readDelegationField } from './token/delegation-field.js';
import type { TokenResult } from './token/token-verifier.js';

/** The outcome of verifying one request. `claimed` is what it said about itself, unverified, for the audit record. */
export type Verification =
  | {
      readonly ok: true;
      readonly caller: Caller;
      readonly standing: Standing;
      readonly bodyVerdict: BodyVerdict | undefined;
    }
  | { readonly ok: false; readonly refusal: Refusal; readonly claimed: AuditEvent['claimed'] };

const maxFieldBytes = 32 * 1024;

/**
 * The pipeline of one request, cheap to expensive to stateful (docs/wire-profile.md): limits, address, signature,
 * body, freshness, token, chain, revocation. Each stage takes only what the stage before has verified.
 */
export function createAuthenticator(
  settings: Settings,
): (request: HttpRequest, requestId: string, forwardedHost?: string) => Promise<Verification> {
  return async function verify(request, requestId, forwardedHost) {
    const { rawHeaders, target } = request;
    const now = settings.clock() / 1000;
    if (sizeOf(rawHeaders) + target.length > maxFieldBytes) return refuse(refusal('fields_too_large'));
    const addressed = addressedOrigin(target, rawHeaders, settings.origins, forwardedHost);
    if (!addressed.ok) return refuse(addressed.refusal);

    const authorization = readAuthorization(rawHeaders);
    // Before the signature base, which cannot hold what is not even ASCII; an unsigned request is refused as such below.
    if (authorization.kind === 'malformed' && fieldValues(rawHeaders, 'signature-input').length > 0) {
      return refuse(refusal('token_malformed', authorization.detail));
    }
    const token = once(() => verifyBearer(settings, authorization, now));
    const signed = await verifySignedRequest(request, {
      ...settings,
      addressed,
      now,
      findHolder: (keyId) => findKeyHolder(keyId, { agents: settings.agents, token, now }),
    });
    if (!signed.ok) return refuse(signed.refusal, keyClaim(signed.claimedKeyId));
    const { covered, parameters, key, validUntil } = signed.signature;
    const { keyid = '', nonce = '', created = 0 } = parameters;
    const claimed = { keyId: keyid, agent: key.holder.agent.id };

    const links = readDelegationField(rawHeaders, settings.maxDelegationDepth);
    if ('code' in links) return refuse(links, claimed);
    const body =
      nonceProblem(nonce) ?? (await verifyBody(request, (field) => covers(covered, field), settings.bodyLimits));
    if ('code' in body) return refuse(body, claimed);
    // A copy of this request may start as late as validUntil and take the whole time allowed for its body.
    const until = validUntil + settings.bodyLimits.timeoutSeconds;
    const used = await reserveNonce(settings.replay, { keyId: keyid, nonce, until }, settings.clock() / 1000);
    if (used !== undefined) return refuse(used, claimed);

    const verified = await token();
    if (verified?.ok === false) return refuse(refusal(verified.code, verified.detail), claimed);
    const presented = { holder: key.holder, token: verified?.token, links, now };
    const acting = await actingChain(presented, settings);
    if ('code' in acting) return refuse(acting, claimed);
    const standing = settings.revocations.standing(acting.chain, verified?.token);
    const revoked = await standing();
    if (revoked !== undefined) return refuse(revoked, claimed);
    return { ok: true, caller: callerOf(acting, key, created, requestId), standing, bodyVerdict: body.verdict };
  };
}

function callerOf(
  { chain, scope, authorizationDetails }: ActingChain,
  { holder }: HeldKey,
  created: number,
  requestId: string,
): Caller {
  const { agent, thumbprint } = holder;
  const [first] = chain;
  return sealCaller({
    actor: {
      id: agent.id,
      type: 'agent',
      keyId: thumbprint,
      roles: agent.roles,
      capabilities: agent.capabilities,
      ...(agent.owner === undefined ? {} : { owner: agent.owner }),
    },
    subject: { id: first.id, type: first.type, ...(first.issuer === undefined ? {} : { issuer: first.issuer }) },
    chain,
    scope,
    ...(authorizationDetails === undefined ? {} : { authorizationDetails }),
    proof: { keyId: thumbprint, algorithm: 'ed25519', created, tag: profileTag },
    requestId,
  });
}

async function verifyBearer(
  { tokens }: Settings,
  authorization: AuthorizationReading,
  now: number,
): Promise<TokenResult | undefined> {
  return authorization.kind === 'bearer' ? await tokens.verify(authorization.token, now) : undefined;
}

function sizeOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((size, text) => size + text.length + 2, 0);
}

function once<T>(compute: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= compute());
}

function keyClaim(keyId: string | undefined): AuditEvent['claimed'] {
  return keyId === undefined ? undefined : { keyId };
}

function refuse(refused: Refusal, claimed?: AuditEvent['claimed']): Verification {
  return { ok: false, refusal: refused, claimed };
}
