/** What a refusal code means for who gets it. */
export interface Hint {
  readonly cause: string;
  /** The next step. */
  readonly fix: string;
}

export function hint(cause: string, fix: string): Hint {
  return { cause, fix };
}
