/** A fault, or a possible fault, of a folder of policies. */
export interface PolicyFinding {
  /** `error`: the guard would not start, a policy can never apply, or it permits far too much. `warning`: a likely mistake. */
  readonly severity: 'error' | 'warning';
  readonly code: PolicyFindingCode;
  /** The fault, and how to fix it. */
  readonly message: string;
  /** Absent if the finding concerns the whole folder. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** The id that decisions report: `file.cedar#id`. */
  readonly policy?: string;
}

export type PolicyFindingCode =
  /** It does not parse or validate, or its `@id` is not unique. */
  | 'invalid'
  /** It can never apply. */
  | 'unreachable'
  /** It permits every agent every action on everything. */
  | 'permit-all'
  /** Another policy is the same. */
  | 'duplicate'
  /** Another policy of the same effect covers every request that it covers. */
  | 'overlapping'
  /** It asks for approval, and another policy permits the same without. */
  | 'approval-bypassed'
  /** With the other permits that apply wherever it does, it asks for more approvals than one request can have. */
  | 'too-many-approvals'
  /** Its `@expires` is in the past. */
  | 'expired'
  /** Its evaluation can fail on some requests, and an error denies. */
  | 'may-err'
  /** It forbids by the path of a request, of which routers serve other spellings, too. */
  | 'forbids-path'
  /** An action of the schema that no policy permits. */
  | 'never-permitted'
  /** It names a role or group that `entities.json` does not name. */
  | 'unknown-group'
  /** There is no schema, so that misspelt attributes are not found. */
  | 'no-schema';

/** The result of a check. */
export interface PolicyCheck {
  /** Number of policies; 0 if they could not be loaded. */
  readonly policies: number;
  /** Ordered by file and line. */
  readonly findings: readonly PolicyFinding[];
}
