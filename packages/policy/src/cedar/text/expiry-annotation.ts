import { failed, type Reading } from '@countersign/common';
import { spellingHint } from '@countersign/delegation';
import type { PolicyHead } from './policy-head.js';

/** When a permit ends by its annotation `@expires`, in unix seconds; undefined: never. */
export function readExpiry({
  effect,
  annotations,
}: Pick<PolicyHead, 'effect' | 'annotations'>): Reading<number | undefined> {
  // A misspelt one would end nothing.
  const misspelt = Object.keys(annotations).find(isMisspelt);
  if (misspelt !== undefined) return failed(`@${misspelt} is not known. Did you mean 'expires'?`);
  if (!Object.hasOwn(annotations, 'expires')) return { ok: true, value: undefined };
  // A prohibition that ends by itself would let through what nobody decided to let through.
  if (effect === 'forbid') return failed('a forbid does not expire. Remove it when its time has come.');
  const text = annotations['expires'] ?? '';
  const milliseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(milliseconds)
    ? failed('@expires must be a moment in UTC, like @expires("2027-01-31T00:00:00Z").')
    : { ok: true, value: milliseconds / 1000 };
}

function isMisspelt(name: string): boolean {
  if (name === 'expires') return false;
  return /expir/i.test(name) || spellingHint(name, ['expires'], 'annotations').startsWith('Did');
}
