import { checkOptionNames, ConfigError, integerOption, oneOfOption } from '@countersign/common';

/** `pseudonym`: equal values get equal pseudonyms, so that records stay joinable. `omit`: the value is removed. */
export type Redaction = 'pseudonym' | 'omit';

/**
 * Hides values from every sink. With any rule `detail` is removed too, since its text may quote a hidden value. At least
 * one rule must be set.
 */
export interface RedactOptions {
  /** Ids of users, as subject and in the chain. Ids of agents stay: who acted must stay known. Default: recorded. */
  readonly userIds?: Redaction;
  /** Ids of resources; their types stay. Default: recorded. */
  readonly resourceIds?: Redaction;
  /** Remote addresses of requests. Default: recorded. */
  readonly remoteAddresses?: Redaction;
  /** Number of path segments that are recorded, also of resources of type `Path`; the rest is cut off. Default: all. */
  readonly keepPathSegments?: number;
  /** Secret key of the pseudonyms (HMAC-SHA-256), at least 32 bytes. Whoever has it can link a pseudonym to an id. */
  readonly pseudonymKey?: string | Uint8Array;
}

const optionNames = [
  'userIds',
  'resourceIds',
  'remoteAddresses',
  'keepPathSegments',
  'pseudonymKey',
] as const satisfies readonly (keyof RedactOptions)[];

export function readRedactOptions(options: RedactOptions): RedactOptions {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError("createGuard: 'redact' must be an object, like { userIds: 'omit' }.");
  }
  checkOptionNames('createGuard redact', options, optionNames);
  const { userIds, resourceIds, remoteAddresses, keepPathSegments, pseudonymKey } = options;
  const rules = Object.entries({ userIds, resourceIds, remoteAddresses }).filter(([, rule]) => rule !== undefined);
  for (const [name, rule] of rules) oneOfOption('createGuard redact', name, rule, ['pseudonym', 'omit']);
  if (keepPathSegments !== undefined) integerOption('createGuard redact', 'keepPathSegments', keepPathSegments, 0);
  if (rules.length === 0 && keepPathSegments === undefined) {
    throw new ConfigError("createGuard: 'redact' hides nothing. Say what, like { userIds: 'omit' }, or leave it out.");
  }
  const needed = rules.some(([, rule]) => rule === 'pseudonym');
  if (needed !== (pseudonymKey !== undefined)) {
    throw new ConfigError("createGuard redact: 'pseudonymKey' is needed with 'pseudonym', and only then.");
  }
  if (pseudonymKey === undefined) return { ...options };
  return { ...options, pseudonymKey: readPseudonymKey(pseudonymKey) };
}

/** A copy, so that wiping the caller's key later changes no pseudonym. */
export function readPseudonymKey(key: string | Uint8Array): Uint8Array {
  const isKey = typeof key === 'string' || key instanceof Uint8Array;
  const bytes = isKey ? Buffer.from(key as string) : Buffer.alloc(0);
  if (bytes.length >= 32) return bytes;
  throw new ConfigError("redact: 'pseudonymKey' must be at least 32 bytes of chance, like `openssl rand -base64 32`.");
}
