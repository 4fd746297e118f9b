import { isPromise } from '@countersign/common';
import {
  type CoveredComponents,
  readSignature,
  type SignatureParameters,
  type SignatureReading,
  type SignatureRefusalCode,
  type StructuredFieldTypes,
  type UnverifiedSignature,
} from '@countersign/signature';
import type { AgentDirectory } from '../../keys/directory.js';
import { answeredAs, type Refusal, type RefusalCode, refusal } from '../../model/refusal.js';
import type { IndexedRequest } from '../../model/request.js';
import { seenDifferently } from '../address/one-view.js';
import type { TokenResult } from '../token/token-verifier.js';
import { findKey, type KeyHolder } from './key-holder.js';
import {
  notProved,
  type Possession,
  type PossessionResult,
  type ProofReading,
  type ProofSubject,
  type ProofUse,
} from './possession.js';

/** How a signature that counts no more is refused. */
export const signatureUseCodes: ProofUse['codes'] = { expired: 'signature_expired', replayed: 'signature_replayed' };

export interface KeyLookupParts {
  readonly agents: AgentDirectory;
  readonly clockSkewSeconds: number;
}

/** A kind of signature: what it must be like besides being valid, and what it proves. */
export interface SignatureProfile extends KeyLookupParts {
  readonly tag: string;
  /** Parameters that every signature of the profile carries. */
  readonly requiredParameters: readonly (keyof SignatureParameters)[];
  /** Structured types of fields that the registry does not list, for `;key`. */
  readonly structuredFields?: StructuredFieldTypes;
  readonly maxAgeSeconds: number;
  /** What is wrong with a signature that covers these components. */
  readonly problem: (request: SignedFields, covered: CoveredComponents) => Refusal | undefined;
  /** What a verified signature of this holder proves, or why it does not count. */
  readonly possession: (signature: UnverifiedSignature, holder: KeyHolder) => Possession | Refusal;
}

/** The part of a request that a signature covers. */
export type SignedFields = Pick<IndexedRequest, 'method' | 'fields'>;

/** Reads the one signature of a profile over the header section. */
export function readSignedRequest({ request, address, now }: ProofSubject, profile: SignatureProfile): ProofReading {
  const { method, target, rawHeaders, fields } = request;
  const { origin, authority } = address;
  const signed = { method, fields };
  const { tag, requiredParameters, structuredFields = {}, maxAgeSeconds, clockSkewSeconds } = profile;
  const read = readSignature(
    { method, target, rawFields: rawHeaders, authority, scheme: origin.scheme },
    {
      // By tag, never by label: the sender chooses the label, and it may collide with another profile's.
      select: { tag },
      components: (_message, covered) => {
        const problem = profile.problem(signed, covered);
        return problem && { detail: problem.code };
      },
      parameters: requiredParameters,
      structuredFields,
      algorithms: ['ed25519'],
      now,
      maxAgeSeconds,
      clockSkewSeconds,
    },
    fields,
  );
  if (!read.ok) return notProved(readingRefusal(read, signed, profile), read.candidate?.parameters.keyid);
  const { signature } = read;
  return { ok: true, verify: (token) => verifySigned(request, signature, { token, now }, profile) };
}

async function verifySigned(
  request: IndexedRequest,
  signature: UnverifiedSignature,
  { token, now }: { readonly token: TokenResult | undefined; readonly now: number },
  profile: SignatureProfile,
): Promise<PossessionResult> {
  const { keyid = '' } = signature.parameters;
  const finding = findKey(keyid, { agents: profile.agents, token, now });
  const found = isPromise(finding) ? await finding : finding;
  if ('code' in found) return notProved(concealed(found, token), keyid);
  const verified = await signature.verify({ algorithm: 'ed25519', publicKey: found.publicKey });
  if (!verified.ok) {
    return notProved(concealed(refusal(codeFor[verified.code], verified.detail), token), keyid);
  }
  const { holder } = found;
  // Only now: whoever signed this holds the key, and may know whether it counts.
  if ('code' in holder) return notProved(holder, keyid);
  const differs = seenDifferently(
    request,
    signature.covered.map(({ name }) => name),
  );
  if (differs !== undefined) return notProved(differs, keyid);
  const possession = profile.possession(signature, holder);
  return 'code' in possession ? notProved(possession, keyid) : { ok: true, possession };
}

function readingRefusal(
  { code, detail, candidate }: Extract<SignatureReading, { ok: false }>,
  signed: SignedFields,
  profile: SignatureProfile,
): Refusal {
  const ofProfile = code === 'component_required' && candidate && profile.problem(signed, candidate.covered);
  return ofProfile || refusal(codeFor[code], detail);
}

/**
 * A sender that has not proved to hold a key learns nothing about it. The answer is what is wrong with the token that
 * could vouch for the key, else one code for all reasons; the record keeps the reason.
 */
function concealed(refused: Refusal, token: TokenResult | undefined): Refusal {
  if (!dependsOnKey.has(refused.code)) return refused;
  const answer = token?.ok === false ? refusal(token.code, token.detail) : refusal('signature_invalid');
  return answeredAs(refused, answer);
}

/** What can be wrong once the key has been looked up: the key itself, a covered value, and the signature. */
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
