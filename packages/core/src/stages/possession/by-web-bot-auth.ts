import { type CoveredComponents, covers } from '@countersign/signature';
import { fieldValues } from '../address/fields.js';
import type { Agent } from '../../keys/directory.js';
import type { Settings } from '../../options/options.js';
import { profileProblem, type SignatureProfile, uncoveredCredential } from './profile.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import { verifySignedRequest } from './signed-request.js';
import { notProved, type PossessionResult, signatureUseCodes } from './possession.js';
import type { PresentedProof } from './presented.js';
import type { WebBotAuthSettings } from './web-bot-auth-options.js';

export const webBotAuthTag = 'web-bot-auth';

/** RFC 9110 §9.2.1 and the QUERY draft: what a copy of the request could do, the same request could do twice. */
const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'QUERY'];

/**
 * Possession by a Web Bot Auth signature (draft-meunier-web-bot-auth-architecture): it says which agent a request is from
 * and binds little more than the authority. The agent then has neither capabilities, roles nor owner, and no token counts.
 */
export async function provedByWebBotAuth(
  { request, addressed, now }: PresentedProof,
  options: WebBotAuthSettings,
  { agents, clockSkewSeconds }: Settings,
): Promise<PossessionResult> {
  const signed = await verifySignedRequest(request, {
    profile: profileOf(options),
    addressed,
    now,
    maxAgeSeconds: options.maxAgeSeconds,
    clockSkewSeconds,
    agents,
    token: () => Promise.resolve(undefined),
  });
  if (!signed.ok) return notProved(signed.refusal, signed.claimedKeyId);
  const { covered, parameters, validUntil } = signed.signature;
  const { nonce, created = 0 } = parameters;
  const { holder } = signed;
  const { thumbprint } = holder;
  if (nonce === undefined && !safeMethods.includes(request.method)) {
    return notProved(refusal('signature_incomplete', 'nonce is required for this method'), thumbprint);
  }
  return {
    ok: true,
    possession: {
      holder: { ...holder, agent: withNothingButItsName(holder.agent) },
      proof: { kind: 'web-bot-auth', keyId: thumbprint, algorithm: 'ed25519', created, tag: webBotAuthTag },
      covers: (field) => covers(covered, field),
      use: { keyId: `${webBotAuthTag}:${thumbprint}`, nonce, created, validUntil, codes: signatureUseCodes },
    },
  };
}

/** What an agent may do, it may not do by so thin a signature; nor may policy permit it by its owner or its roles. */
function withNothingButItsName({ id, status }: Agent): Agent {
  return { id, status, capabilities: [], roles: [] };
}

function profileOf(options: WebBotAuthSettings): SignatureProfile {
  return {
    tag: webBotAuthTag,
    requiredParameters: ['created', 'expires', 'keyid', 'tag'],
    structuredFields: { 'signature-agent': 'dictionary' },
    problem: (method, rawHeaders, covered) =>
      addressProblem(rawHeaders, covered) ??
      // Covered or not, it would be the authority of somebody who did not ask for this request.
      uncoveredCredential(rawHeaders, () => false) ??
      unsafeProblem(method, rawHeaders, covered, options),
  };
}

function addressProblem(rawHeaders: readonly string[], covered: CoveredComponents): Refusal | undefined {
  if (!covers(covered, '@authority') && !covers(covered, '@target-uri')) {
    return refusal('signature_incomplete', 'neither @authority nor @target-uri is covered');
  }
  if (fieldValues(rawHeaders, 'signature-agent').length > 0 && !coversSignatureAgent(covered)) {
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
  method: string,
  rawHeaders: readonly string[],
  covered: CoveredComponents,
  { unsafeMethods }: WebBotAuthSettings,
): Refusal | undefined {
  if (safeMethods.includes(method)) return undefined;
  if (!unsafeMethods) return refusal('signature_incomplete', `${webBotAuthTag} is not enough for this method`);
  return profileProblem(rawHeaders, covered);
}
