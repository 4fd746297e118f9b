import { wireBounds } from '@countersign/common';
import type { FieldSection } from '@countersign/signature';

export type AuthorizationReading =
  | { readonly kind: 'none' }
  | {
      /** `dpop` (RFC 9449 §7.1) only where it is accepted. */
      readonly kind: 'bearer' | 'dpop';
      readonly token: string;
      /** The whole field value, as received. */
      readonly value: string;
    }
  | { readonly kind: 'malformed'; readonly detail: string };

const maxValueLength = wireBounds.tokenLength + 'Bearer '.length;

// RFC 6750 §2.1: "Bearer" 1*SP b64token, and RFC 9449 §7.1: "DPoP" 1*SP token68; the scheme in any case (RFC 9110 §11.1).
// We take exactly one space, so that a token has one spelling.
const credentials = /^(bearer|dpop) ([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Reads the Authorization field. Present but not one plain token of an accepted scheme is `malformed`, whatever else it
 * may be: it never counts as absent. Never throws; details never quote what was sent.
 */
export function readAuthorization(
  fields: FieldSection,
  accepted: { readonly dpop: boolean } = { dpop: false },
): AuthorizationReading {
  const [value, ...others] = fields.raw('authorization');
  if (value === undefined) return { kind: 'none' };
  // Frameworks differ in which of two they take.
  if (others.length > 0) return { kind: 'malformed', detail: 'more than one Authorization field' };
  if (value.length > maxValueLength) return { kind: 'malformed', detail: 'the Authorization field is too long' };
  const [, scheme, token] = credentials.exec(value) ?? [];
  const kind = scheme?.toLowerCase() === 'dpop' ? 'dpop' : 'bearer';
  if (token === undefined || (kind === 'dpop' && !accepted.dpop)) {
    return {
      kind: 'malformed',
      detail: `the Authorization field is not one Bearer${accepted.dpop ? ' or DPoP' : ''} token`,
    };
  }
  return { kind, token, value };
}
