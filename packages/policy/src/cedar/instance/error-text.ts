import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';

/** Cedar's error message with its label and help. */
export function errorText({ message, help, sourceLocations }: DetailedError): string {
  const label = sourceLocations?.[0]?.label ?? undefined;
  return [message, label, help ?? undefined].filter((part) => part !== undefined).join('; ');
}
