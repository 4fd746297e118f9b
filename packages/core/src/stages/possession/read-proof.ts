import { profileTag, requiredParameters } from '@countersign/common';
import { covers } from '@countersign/signature';
import { mentionsTag } from '../../model/request.js';
import { refusal } from '../../model/refusal.js';
import type { Forwarded } from '../address/proxies.js';
import { type DpopProofParts, type DpopRules, presentsDpop, readDpop } from './by-dpop.js';
import { type CertificateParts, readCertificate } from './by-certificate.js';
import { readWebBotAuth, type WebBotAuthSettings, webBotAuthTag } from './by-web-bot-auth.js';
import { notProved, type ProofReading, type ProofSubject } from './possession.js';
import { profileProblem } from './profile.js';
import { readSignedRequest, signatureUseCodes } from './signed-request.js';

export interface ProofParts extends DpopProofParts, CertificateParts {
  readonly maxAgeSeconds: number;
  /** Undefined if no such proof is accepted. */
  readonly dpop: DpopRules | undefined;
  readonly webBotAuth: WebBotAuthSettings | undefined;
}

/** Whether a request shows a bearer token and no proof at all. A proof that is present but broken is refused as such. */
export function showsTokenOnly({ authorization, request }: Pick<ProofSubject, 'authorization' | 'request'>): boolean {
  const { fields } = request;
  const proofs = [profileTag, webBotAuthTag].some((tag) => mentionsTag(fields, tag)) || fields.has('dpop');
  return authorization.kind === 'bearer' && !proofs;
}

/**
 * Chooses, by what the request carries, the one proof of possession that counts, and reads it. A proof that is present
 * but broken never falls back to another. Never throws.
 */
export function readProof(subject: ProofSubject, parts: ProofParts, forwarded: Forwarded): ProofReading {
  const { authorization, request } = subject;
  const { dpop, webBotAuth } = parts;
  const signed = mentionsTag(request.fields, profileTag);
  if (dpop !== undefined && presentsDpop(authorization, request.fields)) {
    // Two proofs could be of two keys, and a middleman could have added one of them.
    if (signed) return notProved(refusal('proof_ambiguous', 'a signature and a DPoP proof'));
    return readDpop(subject, dpop, parts);
  }
  if (webBotAuth !== undefined && !signed && mentionsTag(request.fields, webBotAuthTag)) {
    return readWebBotAuth(subject, webBotAuth, parts);
  }
  const certified = parts.mtls && readCertificate(subject, parts.mtls, { ...parts, forwarded });
  return certified ?? readOwnSignature(subject, parts);
}

/** Possession by the signature of our own profile: it covers the whole request. */
function readOwnSignature(
  subject: ProofSubject,
  { agents, clockSkewSeconds, maxAgeSeconds }: ProofParts,
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
