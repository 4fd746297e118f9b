import { duration } from '../text.js';

/** What a guard accepts by default, of tokens and of links. */
const maxLifetimeSeconds = 3600;

/** Whether it lives longer than a guard accepts that was not told otherwise. `name` begins the sentence. */
export function lifetimeProblem(name: string, issuedAt: number, expiresAt: number): string[] {
  if (!(expiresAt - issuedAt > maxLifetimeSeconds)) return [];
  const lifetime = duration(expiresAt - issuedAt);
  return [
    `${name} was issued for too long a time: ${lifetime}. A guard accepts ${maxLifetimeSeconds} seconds unless told otherwise.`,
  ];
}
