import { failed, type Reading } from '@countersign/common';
import type { PolicyHead } from './policy-head.js';

/** When a permit ends by its annotation `@expires`, in unix seconds; undefined: never. */
export function readExpiry({
  effect,
  annotations,
}: Pick<PolicyHead, 'effect' | 'annotations'>): Reading<number | undefined> {
  if (!Object.hasOwn(annotations, 'expires')) return { ok: true, value: undefined };
  // A prohibition that ends by itself would let through what nobody decided to let through.
  if (effect === 'forbid') return failed('a forbid does not expire. Remove it when its time has come.');
  const text = annotations['expires'] ?? '';
  const moment = new Date(text);
  // A day that does not exist would be a later one.
  return isMoment(moment, text)
    ? { ok: true, value: moment.getTime() / 1000 }
    : failed('@expires must be a moment in UTC, like @expires("2027-01-31T00:00:00Z").');
}

function isMoment(moment: Date, text: string): boolean {
  return !Number.isNaN(moment.getTime()) && moment.toISOString().replace('.000Z', 'Z') === text;
}
