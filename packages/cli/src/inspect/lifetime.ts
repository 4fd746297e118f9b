/** Warns if a lifetime exceeds `most` seconds, the default limit of a guard. `name` is the subject of the sentence. */
export function lifetimeProblem(name: string, most: number, issuedAt: number, expiresAt: number): string[] {
  const lifetime = expiresAt - issuedAt;
  if (!(lifetime > most)) return [];
  return [
    `${name} was issued for too long a time: ${lifetime} seconds. A guard accepts ${most} unless told otherwise.`,
  ];
}
