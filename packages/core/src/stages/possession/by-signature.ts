import { profileTag, requiredParameters } from '@countersign/common';
import { covers } from '@countersign/signature';
import type { ProofReading, ProofSubject } from './possession.js';
import { profileProblem } from './profile.js';
import { type KeyLookupParts, readSignedRequest, signatureUseCodes } from './signed-request.js';

interface OwnSignatureParts extends KeyLookupParts {
  readonly maxAgeSeconds: number;
}

/** Possession by the signature of our own profile: it covers the whole request. */
export function readOwnSignature(
  subject: ProofSubject,
  { agents, clockSkewSeconds, maxAgeSeconds }: OwnSignatureParts,
): ProofReading {
  return readSignedRequest(subject, {
    agents,
    clockSkewSeconds,
    maxAgeSeconds,
    tag: profileTag,
    requiredParameters,
    problem: profileProblem,
    possession: ({ covered, parameters, validUntil }, holder) => {
      const { keyid = '', nonce = '', created = 0, tag = '' } = parameters;
      return {
        holder,
        proof: { kind: 'signature', keyId: holder.thumbprint, algorithm: 'ed25519', created, tag },
        coversField: (field) => covers(covered, field),
        use: { keyId: keyid, nonce, created, validUntil, codes: signatureUseCodes },
      };
    },
  });
}
