import {
  type KeyProblem,
  type SignatureRefusalCode,
  type VerificationKey,
  type VerifiedSignature,
  verifyMessage,
} from '@countersign/signature';
import type { AddressedRequest } from '../address/origin.js';
import { seenDifferently } from '../address/one-view.js';
import type { HttpRequest } from '../../model/request.js';
import type { AgentDirectory } from '../../keys/directory.js';
import { findKey, type KeyHolder, type KnownKey } from './key-holder.js';
import type { SignatureProfile } from './profile.js';
import { answeredAs, type Refusal, type RefusalCode, refusal } from '../../model/refusal.js';
import type { TokenResult } from '../token/token-verifier.js';

export type SignedRequest =
  | { readonly ok: true; readonly signature: VerifiedSignature; readonly holder: KeyHolder }
  | { readonly ok: false; readonly refusal: Refusal; readonly claimedKeyId: string | undefined };

interface SignedRequestParts {
  readonly profile: SignatureProfile;
  readonly addressed: Extract<AddressedRequest, { ok: true }>;
  readonly now: number;
  readonly maxAgeSeconds: number;
  readonly clockSkewSeconds: number;
  readonly agents: AgentDirectory;
  /** Verifies the bearer token of this request, if it has one that counts beside the signature. */
  readonly token: () => Promise<TokenResult | undefined>;
}

/** Verifies the one signature of a profile over the header section, and says whose it is. */
export async function verifySignedRequest(request: HttpRequest, parts: SignedRequestParts): Promise<SignedRequest> {
  const { method, target, rawHeaders } = request;
  const rawFields = withoutPseudoFields(rawHeaders);
  const { origin, authority } = parts.addressed;
  const { profile, agents, token, now, maxAgeSeconds, clockSkewSeconds } = parts;
  let outOfProfile: Refusal | undefined;
  let lookedUp = false;

  const result = await verifyMessage<CandidateKey, NoKey>(
    { method, target, rawFields, authority, scheme: origin.scheme },
    {
      // By tag, never by label: the label is the sender's to choose and may collide with another profile's.
      select: { tag: profile.tag },
      components: (_message, covered) => {
        outOfProfile = profile.problem(method, rawFields, covered);
        return outOfProfile && { detail: outOfProfile.code };
      },
      parameters: profile.requiredParameters,
      structuredFields: profile.structuredFields,
      algorithms: ['ed25519'],
      now,
      maxAgeSeconds,
      clockSkewSeconds,
      resolveKey: async ({ parameters }) => {
        lookedUp = true;
        return candidateKey(await findKey(parameters.keyid ?? '', { agents, token, now }));
      },
    },
  );
  if (result.ok) {
    const { signature } = result;
    const { holder } = signature.key;
    const claimedKeyId = signature.parameters.keyid;
    // Told only now: whoever signed this holds the key.
    if ('code' in holder) return { ok: false, refusal: holder, claimedKeyId };
    const covered = signature.covered.map(({ name }) => name);
    const differs = seenDifferently(request, covered);
    return differs === undefined ? { ok: true, signature, holder } : { ok: false, refusal: differs, claimedKeyId };
  }
  const claimedKeyId = result.candidate?.parameters.keyid;
  const refused = outOfProfile ?? result.problem?.refusal ?? refusal(codeFor[result.code], result.detail);
  return { ok: false, refusal: lookedUp ? await concealed(refused, token) : refused, claimedKeyId };
}

/** RFC 9113 §8.3: what begins with a colon in HTTP/2 is no field. Their content is covered as `@method`, `@path`, … */
function withoutPseudoFields(rawHeaders: readonly string[]): readonly string[] {
  if (rawHeaders[0]?.startsWith(':') !== true) return rawHeaders;
  return rawHeaders.filter((_text, index) => !rawHeaders[index - (index % 2)]?.startsWith(':'));
}

/**
 * Whoever has not proved to hold a key is answered as if it were not known, whatever the reason: with what is wrong with
 * the token that could vouch for the key, else with the one code for all.
 */
async function concealed(refused: Refusal, token: SignedRequestParts['token']): Promise<Refusal> {
  if (!dependsOnKey.has(refused.code)) return refused;
  const verified = await token();
  const answer = verified?.ok === false ? refusal(verified.code, verified.detail) : refusal('signature_invalid');
  return answeredAs(refused, answer);
}

type CandidateKey = VerificationKey & Pick<KnownKey, 'holder'>;

interface NoKey extends KeyProblem {
  readonly refusal: Refusal;
}

function candidateKey(found: KnownKey | Refusal): CandidateKey | NoKey {
  return 'code' in found ? { problem: found.code, refusal: found } : { algorithm: 'ed25519', ...found };
}

/** What can be wrong once the key has been looked up: the key itself, a value that is covered, and the signature. */
const dependsOnKey: ReadonlySet<RefusalCode> = new Set([
  'key_unknown',
  'signature_incomplete',
  'signature_malformed',
  'algorithm_not_allowed',
  'signature_invalid',
]);

const codeFor = {
  missing: 'signature_required',
  malformed: 'signature_malformed',
  ambiguous: 'signature_ambiguous',
  component_missing: 'signature_incomplete',
  component_unsupported: 'signature_malformed',
  component_malformed: 'signature_malformed',
  component_required: 'signature_incomplete',
  parameter_missing: 'signature_incomplete',
  parameter_malformed: 'signature_malformed',
  algorithm_not_allowed: 'algorithm_not_allowed',
  expired: 'signature_expired',
  not_yet_valid: 'signature_not_yet_valid',
  key: 'key_unknown',
  invalid: 'signature_invalid',
} as const satisfies Record<SignatureRefusalCode, RefusalCode>;
