import {
  credentialFields,
  mcpFields,
  mcpParameterPrefix,
  methodOverrideFields,
  profileTag,
  targetComponents,
} from '@countersign/common';
import { covers, type CoveredComponents, type FieldSection } from '@countersign/signature';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { IndexedRequest } from '../../model/request.js';

/** Answered with every challenge, so that a client learns what to sign (RFC 9421 §5.1). */
export const acceptSignature: string =
  `sig=("@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization")` +
  `;created;nonce;keyid;tag="${profileTag}"`;

/** What the profile demands of a signature beyond being valid. */
export function profileProblem(
  { fields }: Pick<IndexedRequest, 'fields'>,
  covered: CoveredComponents,
): Refusal | undefined {
  if (!covers(covered, '@method')) return incomplete('@method');
  if (!covers(covered, '@target-uri')) {
    for (const component of targetComponents) {
      if (!covers(covered, component)) return incomplete(component);
    }
  }
  const isCovered = (field: string): boolean => covers(covered, field);
  return uncoveredCredential(fields, isCovered) ?? uncoveredMcpField(fields, isCovered);
}

const neverUncovered = [...credentialFields, ...methodOverrideFields];

/** Refuses a field that gives or shapes authority if the proof of possession does not cover it: anybody could have added it. */
export function uncoveredCredential(fields: FieldSection, covered: (field: string) => boolean): Refusal | undefined {
  const uncovered = neverUncovered.find((field) => fields.has(field) && !covered(field));
  return uncovered === undefined ? undefined : refusal('credential_uncovered', uncovered);
}

/** A gateway goes by these fields, and a session belongs to whoever names it: nobody on the way may change them. */
export function uncoveredMcpField(fields: FieldSection, isCovered: (field: string) => boolean): Refusal | undefined {
  const names = fields.has('mcp-method') ? [...mcpFields, ...mcpParametersOf(fields)] : mcpFields;
  const uncovered = names.find((field) => fields.has(field) && !isCovered(field));
  return uncovered === undefined ? undefined : refusal('credential_uncovered', uncovered);
}

function mcpParametersOf(fields: FieldSection): readonly string[] {
  return [...fields.names()].filter((name) => name.startsWith(mcpParameterPrefix));
}

function incomplete(what: string): Refusal {
  return refusal('signature_incomplete', `${what} is not covered`);
}
