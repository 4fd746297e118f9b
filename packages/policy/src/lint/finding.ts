/** One thing that is wrong with a folder of policies, or could be. */
export interface PolicyFinding {
  /** `error`: the guard would not start with it, or it permits far too much. `warning`: worth a look. */
  readonly severity: 'error' | 'warning';
  readonly code: PolicyFindingCode;
  /** What is found there, and what to do. */
  readonly message: string;
  /** Absent where the folder as a whole is meant. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** As decisions name the policy: `file.cedar#id`. */
  readonly policy?: string;
}

export type PolicyFindingCode =
  /** It does not parse, validate, or bear a name of its own. */
  | 'invalid'
  /** It can never apply. */
  | 'unreachable'
  /** It permits every agent every action on everything. */
  | 'permit-all'
  /** The same stands elsewhere. */
  | 'duplicate'
  /** Whatever it says, another policy with fewer conditions says too. */
  | 'overlapping'
  /** A request can make it fail, and an error denies. */
  | 'may-err'
  /** An action of the schema that no policy permits. */
  | 'never-permitted'
  /** A role or a group that `entities.json` does not name. */
  | 'unknown-group'
  /** There is no schema, so that no misspelt attribute can be found. */
  | 'no-schema';

/** What a check of a folder found. */
export interface PolicyCheck {
  /** How many policies were read; 0 where they could not be. */
  readonly policies: number;
  /** In the order of files and lines. */
  readonly findings: readonly PolicyFinding[];
}
