import { checkOptionNames, ConfigError } from '@countersign/common';

/** `pseudonym`: the same value gives the same pseudonym, so that records stay joinable. `omit`: it is gone. */
export type Redaction = 'pseudonym' | 'omit';

/**
 * What no sink gets to see. Whatever is set here, `detail` is left out, too, since its text may quote what was hidden.
 * At least one rule must be set.
 */
export interface RedactOptions {
  /** Ids of users, as subject and in the chain. Agents keep theirs: who acted must stay known. Default: recorded. */
  readonly userIds?: Redaction;
  /** Ids of resources; their types stay. Default: recorded. */
  readonly resourceIds?: Redaction;
  /** Addresses that requests came from. Default: recorded. */
  readonly remoteAddresses?: Redaction;
  /** How many segments of a path are recorded; the rest is cut off. 0: none. Default: all of them. */
  readonly keepPathSegments?: number;
  /** Makes pseudonyms (HMAC-SHA-256); at least 32 bytes, secret. Whoever has it can tell whose a pseudonym is. */
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
  for (const [name, rule] of rules) {
    if (rule !== 'pseudonym' && rule !== 'omit') {
      throw new ConfigError(`createGuard redact: '${name}' must be 'pseudonym' or 'omit'.`);
    }
  }
  if (keepPathSegments !== undefined && (!Number.isSafeInteger(keepPathSegments) || keepPathSegments < 0)) {
    throw new ConfigError("createGuard redact: 'keepPathSegments' must be a whole number from 0 on.");
  }
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

/** A copy, so that whoever wipes the key later changes no pseudonym. */
export function readPseudonymKey(key: string | Uint8Array): Uint8Array {
  const isKey = typeof key === 'string' || key instanceof Uint8Array;
  const bytes = isKey ? Buffer.from(key as string) : Buffer.alloc(0);
  if (bytes.length >= 32) return bytes;
  throw new ConfigError("redact: 'pseudonymKey' must be at least 32 bytes of chance, like `openssl rand -base64 32`.");
}
