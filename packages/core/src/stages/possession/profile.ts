import {
  covers,
  type CoveredComponents,
  type SignatureParameters,
  type StructuredFieldTypes,
} from '@countersign/signature';
import {
  authorityFields,
  methodOverrideFields,
  profileTag,
  requiredParameters,
  targetComponents,
} from '@countersign/common';
import { fieldValues } from '../address/fields.js';
import { type Refusal, refusal } from '../../model/refusal.js';

/** What a kind of signature must be like, besides being valid. */
export interface SignatureProfile {
  readonly tag: string;
  /** Parameters that every signature of the profile carries. */
  readonly requiredParameters: readonly (keyof SignatureParameters)[];
  /** Structured types of fields that the registry does not list, for `;key`. */
  readonly structuredFields: StructuredFieldTypes;
  /** What else is wrong with it, by what it covers. */
  readonly problem: (method: string, rawHeaders: readonly string[], covered: CoveredComponents) => Refusal | undefined;
}

/** Our own profile. */
export const countersignProfile: SignatureProfile = {
  tag: profileTag,
  requiredParameters,
  structuredFields: {},
  problem: (_method, rawHeaders, covered) => profileProblem(rawHeaders, covered),
};

/** Answered with every challenge, so that a client learns what to sign (RFC 9421 §5.1). */
export const acceptSignature: string =
  `sig=("@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization")` +
  `;created;nonce;keyid;tag="${profileTag}"`;

/** What the profile demands of a signature beyond being valid. */
export function profileProblem(rawHeaders: readonly string[], covered: CoveredComponents): Refusal | undefined {
  if (!covers(covered, '@method')) return incomplete('@method');
  if (!covers(covered, '@target-uri')) {
    for (const component of targetComponents) {
      if (!covers(covered, component)) return incomplete(component);
    }
  }
  return uncoveredCredential(rawHeaders, (field) => covers(covered, field));
}

/** Refuses a field that gives or shapes authority if the proof of possession does not cover it: anybody could have added it. */
export function uncoveredCredential(
  rawHeaders: readonly string[],
  covered: (field: string) => boolean,
): Refusal | undefined {
  const uncovered = [...authorityFields, ...methodOverrideFields].find(
    (field) => fieldValues(rawHeaders, field).length > 0 && !covered(field),
  );
  return uncovered === undefined ? undefined : refusal('credential_uncovered', uncovered);
}

function incomplete(what: string): Refusal {
  return refusal('signature_incomplete', `${what} is not covered`);
}
