import { wireBounds } from '@countersign/common';

/** All values of a field, in order, whatever the case of its name. */
export function fieldValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}

/** Whether target and fields are more than is ever looked through. */
export function fieldsTooLarge(target: string, rawHeaders: readonly string[]): boolean {
  if (rawHeaders.length > 2 * wireBounds.fieldLines) return true;
  return rawHeaders.reduce((size, text) => size + text.length + 2, target.length) > wireBounds.fieldsLength;
}

/** Whether a signature may carry this tag. Read loosely: when in doubt it does, and has to verify. */
export function mentionsTag(rawHeaders: readonly string[], tag: string): boolean {
  return fieldValues(rawHeaders, 'signature-input').some((value) => value.includes(tag));
}
