import { checkOptionNames, ConfigError, guardDefaults, integerOption } from '@countersign/common';
import { type CoveredComponents, covers, type FieldSection } from '@countersign/signature';
import type { Agent } from '../../keys/directory.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { ProofReading, ProofSubject } from './possession.js';
import { profileProblem, uncoveredCredential, uncoveredMcpField } from './profile.js';
import { type KeyLookupParts, readSignedRequest, type SignedFields, signatureUseCodes } from './signed-request.js';

/** How Web Bot Auth signatures are accepted. They say who a request is from, and bind little else. */
export interface WebBotAuthOptions {
  /** Oldest signature accepted, in seconds. Default 300. */
  readonly maxAgeSeconds?: number;
  /**
   * `policy`: methods other than GET, HEAD, OPTIONS and QUERY are put to policy too, if the signature covers all that
   * our own profile asks for. Default: they are refused.
   */
  readonly unsafeMethods?: 'policy';
}

export interface WebBotAuthSettings {
  readonly maxAgeSeconds: number;
  readonly unsafeMethods: boolean;
}

/** @throws ConfigError when an option is wrong. */
export function readWebBotAuthOptions(
  webBotAuth: true | WebBotAuthOptions | undefined,
): WebBotAuthSettings | undefined {
  if (webBotAuth === undefined) return undefined;
  if (webBotAuth !== true && (typeof webBotAuth !== 'object' || webBotAuth === null)) {
    throw new ConfigError(
      "createGuard: 'webBotAuth' must be true or an object of options; leave it out to accept none.",
    );
  }
  const options: WebBotAuthOptions = webBotAuth === true ? {} : webBotAuth;
  checkOptionNames("createGuard: 'webBotAuth'", options, ['maxAgeSeconds', 'unsafeMethods']);
  const { maxAgeSeconds = guardDefaults.webBotAuthMaxAgeSeconds, unsafeMethods } = options;
  integerOption('createGuard', 'webBotAuth.maxAgeSeconds', maxAgeSeconds, 1, 86_400);
  if (unsafeMethods !== undefined && unsafeMethods !== 'policy') {
    throw new ConfigError("createGuard: 'webBotAuth.unsafeMethods' must be 'policy', or be left out.");
  }
  return { maxAgeSeconds, unsafeMethods: unsafeMethods === 'policy' };
}

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
