/** Whether it lives longer than `most` seconds, which a guard accepts by default. `name` begins the sentence. */
export function lifetimeProblem(name: string, most: number, issuedAt: number, expiresAt: number): string[] {
  const lifetime = expiresAt - issuedAt;
  if (!(lifetime > most)) return [];
  return [
    `${name} was issued for too long a time: ${lifetime} seconds. A guard accepts ${most} unless told otherwise.`,
  ];
}
