import type { AuditEvent } from '@countersign/audit';
import type { BodyVerdict } from './body/request-body.js';
import { verifyBody } from './body/verify-body.js';
import { type Caller, sealCaller } from '../model/caller.js';
import { fieldsTooLarge, fieldValues } from './address/fields.js';
import { addressedOrigin } from './address/origin.js';
import type { HttpRequest } from '../model/request.js';
import type { Settings } from '../options/options.js';
import type { Possession } from './possession/possession.js';
import { provePossession } from './possession/prove-possession.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { reserveNonce } from './replay/reserve-nonce.js';
import type { Revalidate } from './revocation/revalidate.js';
import { type ActingChain, actingChain } from './chain/acting-chain.js';
import { type AuthorizationReading, readAuthorization } from './token/authorization-header.js';
import { readDelegationField } from './chain/delegation-field.js';
import { createTokenRevalidation } from './token/revalidate-token.js';
import type { TokenResult } from './token/token-verifier.js';

/** The outcome of verifying one request. `claimed` is what it said about itself, unverified, for the audit record. */
export type Verification =
  | {
      readonly ok: true;
      readonly caller: Caller;
      readonly standing: Revalidate;
      readonly bodyVerdict: BodyVerdict | undefined;
    }
  | { readonly ok: false; readonly refusal: Refusal; readonly claimed: AuditEvent['claimed'] };

/**
 * The pipeline of one request, cheap to expensive to stateful (docs/reference/wire-profile.md): limits, address, proof of
 * possession, freshness and replay, body, token, chain, revocation. Each stage takes only what the stage before has verified.
 */
export function createAuthenticator(
  settings: Settings,
): (request: HttpRequest, requestId: string, forwardedHost?: string) => Promise<Verification> {
  const lasting = createTokenRevalidation(settings);
  return async function verify(request, requestId, forwardedHost) {
    const { rawHeaders, target } = request;
    const now = settings.clock() / 1000;
    if (fieldsTooLarge(target, rawHeaders)) return refuse(refusal('fields_too_large'));
    const addressed = addressedOrigin(target, rawHeaders, settings.origins, forwardedHost);
    if (!addressed.ok) return refuse(addressed.refusal);

    const authorization = readAuthorization(rawHeaders, { dpop: settings.dpop !== undefined });
    // Before the signature base, which cannot hold what is not even ASCII; an unsigned request is refused as such below.
    if (authorization.kind === 'malformed' && fieldValues(rawHeaders, 'signature-input').length > 0) {
      return refuse(refusal('token_malformed', authorization.detail));
    }
    const token = once(() => verifyToken(settings, authorization, now));
    const proved = await provePossession({ request, addressed, authorization, token, now }, settings);
    if (!proved.ok) return refuse(proved.refusal, proved.claimed);
    const { possession } = proved;
    const { holder, covers, use } = possession;
    const claimed = { keyId: holder.thumbprint, agent: holder.agent.id };

    const links = readDelegationField(rawHeaders, settings.maxDelegationDepth);
    if ('code' in links) return refuse(links, claimed);
    const usedUp = await reserveNonce(use, settings);
    if (usedUp !== undefined) return refuse(usedUp, claimed);
    const body = await verifyBody(request, covers, settings.bodyLimits);
    if ('code' in body) return refuse(body, claimed);

    const verified = await token();
    if (verified?.ok === false) return refuse(refusal(verified.code, verified.detail), claimed);
    const presented = { holder, token: verified?.token, links, now };
    const acting = await actingChain(presented, settings);
    if ('code' in acting) return refuse(acting, claimed);
    const lasts = lasting({ ...acting, verifiedAt: now });
    const unrevoked = settings.revocations.standing(acting.chain, verified?.token);
    const standing = async (): Promise<Refusal | undefined> => (await lasts()) ?? (await unrevoked());
    const fallen = await standing();
    if (fallen !== undefined) return refuse(fallen, claimed);
    return { ok: true, caller: callerOf(acting, possession, requestId), standing, bodyVerdict: body.verdict };
  };
}

function callerOf(
  { chain, scope, authorizationDetails }: ActingChain,
  { holder, proof }: Possession,
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
    proof,
    requestId,
  });
}

async function verifyToken(
  { tokens }: Settings,
  authorization: AuthorizationReading,
  now: number,
): Promise<TokenResult | undefined> {
  return 'token' in authorization ? await tokens.verify(authorization.token, now) : undefined;
}

function once<T>(compute: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= compute());
}

function refuse(refused: Refusal, claimed?: AuditEvent['claimed']): Verification {
  return { ok: false, refusal: refused, claimed };
}
