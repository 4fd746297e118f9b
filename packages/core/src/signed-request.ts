import {
  type KeyProblem,
  type SignatureRefusalCode,
  type VerificationKey,
  type VerifiedSignature,
  verifyMessage,
} from '@countersign/signature';
import type { AddressedRequest } from './http/origin.js';
import { seenDifferently } from './http/one-view.js';
import type { HttpRequest } from './http/request.js';
import type { KeyHolder } from './keys/key-holder.js';
import type { SignatureProfile } from './profile.js';
import { type Refusal, type RefusalCode, refusal } from './refusal.js';

/** A key for the verifier, with the agent that holds it. */
export interface HeldKey extends VerificationKey {
  readonly holder: KeyHolder;
}

export type SignedRequest =
  | { readonly ok: true; readonly signature: VerifiedSignature<HeldKey> }
  | { readonly ok: false; readonly refusal: Refusal; readonly claimedKeyId: string | undefined };

interface SignedRequestParts {
  readonly profile: SignatureProfile;
  readonly addressed: Extract<AddressedRequest, { ok: true }>;
  readonly now: number;
  readonly maxAgeSeconds: number;
  readonly clockSkewSeconds: number;
  readonly findHolder: (keyId: string) => Promise<KeyHolder | Refusal>;
}

/** Verifies the one signature of a profile over the header section, and says whose it is. */
export async function verifySignedRequest(request: HttpRequest, parts: SignedRequestParts): Promise<SignedRequest> {
  const { method, target, rawHeaders } = request;
  const rawFields = withoutPseudoFields(rawHeaders);
  const { origin, authority } = parts.addressed;
  const { profile, now, maxAgeSeconds, clockSkewSeconds } = parts;
  let outOfProfile: Refusal | undefined;

  const result = await verifyMessage<HeldKey, HolderProblem>(
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
      resolveKey: async ({ parameters }) => heldKey(await parts.findHolder(parameters.keyid ?? '')),
    },
  );
  if (result.ok) {
    const { covered, parameters } = result.signature;
    const refused = seenDifferently(
      request,
      covered.map(({ name }) => name),
    );
    return refused === undefined ? result : { ok: false, refusal: refused, claimedKeyId: parameters.keyid };
  }
  const claimedKeyId = result.candidate?.parameters.keyid;
  const refused = outOfProfile ?? result.problem?.refusal ?? refusal(codeFor[result.code], result.detail);
  return { ok: false, refusal: refused, claimedKeyId };
}

/** RFC 9113 §8.3: what begins with a colon in HTTP/2 is no field. Their content is covered as `@method`, `@path`, … */
function withoutPseudoFields(rawHeaders: readonly string[]): readonly string[] {
  if (rawHeaders[0]?.startsWith(':') !== true) return rawHeaders;
  return rawHeaders.filter((_text, index) => !rawHeaders[index - (index % 2)]?.startsWith(':'));
}

interface HolderProblem extends KeyProblem {
  readonly refusal: Refusal;
}

function heldKey(found: KeyHolder | Refusal): HeldKey | HolderProblem {
  if ('code' in found) return { problem: found.code, refusal: found };
  return { algorithm: 'ed25519', publicKey: found.publicKey, holder: found };
}

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
