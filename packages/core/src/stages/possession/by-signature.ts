import { covers } from '@countersign/signature';
import type { Settings } from '../../options/options.js';
import { countersignProfile } from './profile.js';
import { verifySignedRequest } from './signed-request.js';
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
    agents,
    token,
  });
  if (!signed.ok) return notProved(signed.refusal, signed.claimedKeyId);
  const { covered, parameters, validUntil } = signed.signature;
  const { holder } = signed;
  const { keyid = '', nonce = '', created = 0, tag = '' } = parameters;
  return {
    ok: true,
    possession: {
      holder,
      proof: { kind: 'signature', keyId: holder.thumbprint, algorithm: 'ed25519', created, tag },
      covers: (field) => covers(covered, field),
      use: { keyId: keyid, nonce, created, validUntil, codes: signatureUseCodes },
    },
  };
}
