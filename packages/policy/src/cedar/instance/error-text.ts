import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';

/** A fault in Cedar's words, with its advice. */
export function describe({ message, help, sourceLocations }: DetailedError): string {
  const label = sourceLocations?.[0]?.label ?? undefined;
  return [message, label, help ?? undefined].filter((part) => part !== undefined).join('; ');
}
