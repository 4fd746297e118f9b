import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';

/** Cedar's error message with its label and help. */
export function errorText({ message, help, sourceLocations }: DetailedError): string {
  const label = sourceLocations?.[0]?.label ?? undefined;
  return [message, label, help ?? undefined].filter((part) => part !== undefined).join('; ');
}

/**
 * What Cedar's messages say besides values, in their groups. From the beginning, and with nothing but names between
 * backticks: a message may quote a value that reads like another one.
 */
const withoutValues: readonly RegExp[] = [
  /^(type error: expected [^;`\n]{1,100}(?:`any_entity_type`\)\]?)?, got [a-z ]{1,100})/,
  /^(?:record|`[\w:]+::"(?:[^"\\]|\\.)*"`) (does not have the attribute `[\w.: -]{1,100}`)/,
  /^(integer overflow while attempting to \w+)/,
  /^(error while evaluating `\w+` extension function)/,
  /^entity does not conform to the schema: in (attribute `[\w.: -]{1,100}`) on `[\w:]+::"(?:[^"\\]|\\.)*"`, type mismatch: (value was expected to have type [^,\n]{1,200}, but it actually has type \w+)/,
  /^entity does not conform to the schema: `[\w:]+::"(?:[^"\\]|\\.)*"` (is not allowed to have an ancestor of type `[\w:]{1,200}`)/,
  /^error during entity deserialization: [\s\S]* (should not exist according to the schema)$/,
  /^((?:principal|resource) type `[\w:]{1,200}` is not valid for `Action::"[^"`\n]{1,200}"`)/,
  /^(action `Action::"[^"`\n]{1,200}"` does not exist in the supplied schema)/,
];

/** Cedar's message without the values that it quotes: they may be from a body or from arguments, and the audit log keeps it. */
export function recordedErrorText({ message }: DetailedError): string {
  for (const pattern of withoutValues) {
    const [, ...told] = pattern.exec(message) ?? [];
    if (told.length > 0) return told.join(': ');
  }
  return 'Cedar cannot evaluate it with the values of this request';
}
