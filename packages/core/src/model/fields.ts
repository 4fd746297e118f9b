import { wireBounds } from '@countersign/common';
import type { FieldSection } from '@countersign/signature';

/** Whether target and fields are more than is ever looked through. */
export function fieldsTooLarge(target: string, rawHeaders: readonly string[]): boolean {
  if (rawHeaders.length > 2 * wireBounds.fieldLines) return true;
  return rawHeaders.reduce((size, text) => size + text.length + 2, target.length) > wireBounds.fieldsLength;
}

/** Whether a signature may carry this tag. Read loosely: when in doubt it does, and has to verify. */
export function mentionsTag(fields: FieldSection, tag: string): boolean {
  return fields.raw('signature-input').some((value) => value.includes(tag));
}
