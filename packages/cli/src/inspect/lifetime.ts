import { guardDefaults } from './guard-defaults.js';

/** Whether it lives longer than a guard accepts by default. `name` begins the sentence. */
export function lifetimeProblem(name: string, issuedAt: number, expiresAt: number): string[] {
  const { maxLifetimeSeconds } = guardDefaults;
  const lifetime = expiresAt - issuedAt;
  if (!(lifetime > maxLifetimeSeconds)) return [];
  return [
    `${name} was issued for too long a time: ${lifetime} seconds. A guard accepts ${maxLifetimeSeconds} unless told otherwise.`,
  ];
}
