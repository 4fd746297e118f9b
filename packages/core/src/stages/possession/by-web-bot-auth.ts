import { type CoveredComponents, covers, type FieldSection } from '@countersign/signature';
import type { Agent } from '../../keys/directory.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { ProofReading, ProofSubject } from './possession.js';
import { profileProblem, uncoveredCredential, uncoveredMcpField } from './profile.js';
import { type KeyLookupParts, readSignedRequest, type SignedFields, signatureUseCodes } from './signed-request.js';
import type { WebBotAuthSettings } from './web-bot-auth-options.js';

export const webBotAuthTag = 'web-bot-auth';

/** RFC 9110 §9.2.1 and the QUERY draft: what a copy of the request could do, the same request could do twice. */
const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'QUERY'];

/**
 * Possession by a Web Bot Auth signature (draft-meunier-web-bot-auth-architecture): it says which agent a request is from
 * and binds little more than the authority. The agent then has neither capabilities, roles nor owner, and no token counts.
 */
export function readWebBotAuth(
  subject: ProofSubject,
  options: WebBotAuthSettings,
  { agents, clockSkewSeconds }: KeyLookupParts,
): ProofReading {
  const { method } = subject.request;
  const read = readSignedRequest(subject, {
    agents,
    clockSkewSeconds,
    maxAgeSeconds: options.maxAgeSeconds,
    tag: webBotAuthTag,
    requiredParameters: ['created', 'expires', 'keyid', 'tag'],
    structuredFields: { 'signature-agent': 'dictionary' },
    problem: (request, covered) =>
      addressProblem(request.fields, covered) ??
      // Covered or not, it would be the authority of somebody who did not ask for this request.
      uncoveredCredential(request.fields, () => false) ??
      uncoveredMcpField(request.fields, () => false) ??
      unsafeProblem(request, covered, options),
    possession: ({ covered, parameters, validUntil }, holder) => {
      const { nonce, created = 0 } = parameters;
      const { thumbprint } = holder;
      if (nonce === undefined && !safeMethods.includes(method)) {
        return refusal('signature_incomplete', 'nonce is required for this method');
      }
      return {
        holder: { ...holder, agent: withNothingButItsName(holder.agent), nameOnly: true },
        proof: { kind: 'web-bot-auth', keyId: thumbprint, algorithm: 'ed25519', created, tag: webBotAuthTag },
        coversField: (field) => covers(covered, field),
        use: { keyId: thumbprint, nonce, created, validUntil, codes: signatureUseCodes },
      };
    },
  });
  // No token counts here, so none can vouch for a key.
  return read.ok ? { ok: true, verify: () => read.verify(undefined) } : read;
}

/**
 * What an agent may do, it may not do by so thin a signature; nor may policy permit it by its owner or its roles. That
 * policy still forbids by them is the task of the subject check.
 */
function withNothingButItsName({ id, status }: Agent): Agent {
  return { id, status, capabilities: [], roles: [] };
}

function addressProblem(fields: FieldSection, covered: CoveredComponents): Refusal | undefined {
  if (!covers(covered, '@authority') && !covers(covered, '@target-uri')) {
    return refusal('signature_incomplete', 'neither @authority nor @target-uri is covered');
  }
  if (fields.has('signature-agent') && !coversSignatureAgent(covered)) {
    return refusal('signature_incomplete', 'signature-agent is not covered');
  }
  return undefined;
}

/** Whole, or the one member of it that belongs to this signature. */
function coversSignatureAgent(covered: CoveredComponents): boolean {
  return covered.some(
    ({ name, parameters }) => name === 'signature-agent' && [...parameters.keys()].every((key) => key === 'key'),
  );
}

function unsafeProblem(
  request: SignedFields,
  covered: CoveredComponents,
  { unsafeMethods }: WebBotAuthSettings,
): Refusal | undefined {
  if (safeMethods.includes(request.method)) return undefined;
  if (!unsafeMethods) return refusal('signature_incomplete', `${webBotAuthTag} is not enough for this method`);
  return profileProblem(request, covered);
}
