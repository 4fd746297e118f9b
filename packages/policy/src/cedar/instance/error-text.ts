import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';

/** Cedar's error message with its label and help. */
export function errorText({ message, help, sourceLocations }: DetailedError): string {
  const label = sourceLocations?.[0]?.label ?? undefined;
  return [message, label, help ?? undefined].filter((part) => part !== undefined).join('; ');
}

/** What Cedar's messages say besides values, each with the words at which it begins. */
const withoutValues: readonly (readonly [begin: string, told: RegExp])[] = [
  ['type error: ', /^type error: expected [^;`]{1,100}(?:`any_entity_type`\)\])?, got [a-z ]{1,100}/],
  ['does not have the attribute ', /^does not have the attribute `[^`]*`/],
  ['integer overflow ', /^integer overflow while attempting to \w+/],
  ['error while evaluating ', /^error while evaluating `\w+` extension function/],
  ['value was expected ', /^value was expected to have type [^,]{1,200}, but it actually has type \w+/],
  ['principal type ', /^principal type `[^`]*` is not valid for `[^`]*`/],
  ['resource type ', /^resource type `[^`]*` is not valid for `[^`]*`/],
  ['action ', /^action `[^`]*` does not exist in the supplied schema/],
  ['should not exist ', /^should not exist according to the schema/],
  ['is not allowed to have an ancestor ', /^is not allowed to have an ancestor of type `[^`]*`/],
];

/** Cedar's message without the values that it quotes: they may be from a body or from arguments, and the audit log keeps it. */
export function recordedErrorText({ message }: DetailedError): string {
  for (const [begin, pattern] of withoutValues) {
    const at = message.indexOf(begin);
    const told = at === -1 ? undefined : pattern.exec(message.slice(at))?.[0];
    if (told !== undefined) return `${placeIn(message)}${told}`;
  }
  return 'Cedar cannot evaluate it with the values of this request';
}

/** The attribute that a message begins with, if it is one of the schema. */
function placeIn(message: string): string {
  const attribute = /^entity does not conform to the schema: in (attribute `[^`]*`) on /.exec(message)?.[1];
  return attribute === undefined ? '' : `${attribute}: `;
}
