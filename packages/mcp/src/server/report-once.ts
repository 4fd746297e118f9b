import type { Guard } from '@countersign/core';

const reported = new WeakMap<Guard, Set<string>>();

/** Reports a fault in how servers are mounted. Once: every request of a client would show it again. */
export function reportOnce(guard: Guard, trouble: string): void {
  const known = reported.get(guard) ?? new Set();
  reported.set(guard, known);
  if (known.has(trouble)) return;
  known.add(trouble);
  guard.report(trouble);
}
