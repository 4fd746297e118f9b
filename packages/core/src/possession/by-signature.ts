import { covers } from '@countersign/signature';
import { findKeyHolder } from '../keys/key-holder.js';
import type { Settings } from '../options.js';
import { countersignProfile } from '../profile.js';
import { verifySignedRequest } from '../signed-request.js';
import { notProved, type PossessionResult, signatureUseCodes } from './possession.js';
import type { PresentedProof } from './presented.js';

/** Possession by the signature of our own profile: it covers the whole request. */
export async function provedBySignature(presented: PresentedProof, settings: Settings): Promise<PossessionResult> {
  const { request, addressed, token, now } = presented;
  const { agents, maxAgeSeconds, clockSkewSeconds } = settings;
  const signed = await verifySignedRequest(request, {
    profile: countersignProfile,
    addressed,
    now,
    maxAgeSeconds,
    clockSkewSeconds,
    findHolder: (keyId) => findKeyHolder(keyId, { agents, token, now }),
  });
  if (!signed.ok) return notProved(signed.refusal, signed.claimedKeyId);
  const { covered, parameters, key, validUntil } = signed.signature;
  const { keyid = '', nonce = '', created = 0, tag = '' } = parameters;
  return {
    ok: true,
    possession: {
      holder: key.holder,
      proof: { kind: 'signature', keyId: key.holder.thumbprint, algorithm: 'ed25519', created, tag },
      covers: (field) => covers(covered, field),
      use: { keyId: keyid, nonce, created, validUntil, codes: signatureUseCodes },
    },
  };
}
