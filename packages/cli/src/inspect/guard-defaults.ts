/** What a guard accepts that was not told otherwise. */
export const guardDefaults = {
  /** Of a signature. */
  maxAgeSeconds: 60,
  /** Of a token, and of a link. */
  maxLifetimeSeconds: 3600,
  clockSkewSeconds: 5,
  /** Delegations between subject and actor. */
  maxDepth: 5,
} as const;
