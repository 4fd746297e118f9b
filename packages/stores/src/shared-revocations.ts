import { checkOptionNames, numberOption, readOnTrouble } from '@countersign/common';
import {
  memoryRevocations,
  type Revocable,
  type Revocation,
  type RevocationSource,
  revocationKey,
} from '@countersign/core';
import { type Freezable, frozenName } from './frozen.js';
import type { RevocationFeed } from './revocation-feed.js';
import { RevocationMirror } from './revocation-mirror.js';

export interface SharedRevocationsOptions {
  /**
   * How old what is known may be, in seconds from 1 to 300, before requests are refused with 503. Default 5. A process
   * that is cut off from the store decides by what it knew for this long.
   */
  readonly maxStaleSeconds?: number;
  /** Told when the store cannot be read, or has lost revocations. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}

/**
 * Revocations of all processes that share a store. A change is in force in this process once the promise has resolved,
 * and in the others within a second. A promise that rejects leaves open whether it was made, but it undoes no later change:
 * make it again.
 */
export interface SharedRevocations extends RevocationSource {
  /** As `guard.revocations.revoke`. @throws ConfigError when it does not say clearly what. */
  revoke(revocation: Revocation): Promise<void>;
  /** Takes back exactly this revocation. What another source says, or what is frozen, still counts. */
  restore(revocable: Revocable): Promise<void>;
  /** Stops an agent, a tenant or everything until `unfreeze`. */
  freeze(what: Freezable): Promise<void>;
  unfreeze(what: Freezable): Promise<void>;
  /** The names of what is revoked or frozen now, and until when. */
  list(): readonly { readonly name: string; readonly until: number | undefined }[];
  close(): Promise<void>;
}

/** @throws ConfigError if the store cannot be read, or never began. */
export async function openSharedRevocations(
  owner: string,
  feed: RevocationFeed,
  options: SharedRevocationsOptions & { readonly hintIfEmpty: string },
): Promise<SharedRevocations> {
  const mirror = new RevocationMirror(feed, { owner, ...readValues(owner, options) });
  await mirror.open(options.hintIfEmpty);
  return {
    findRevoked: (named, nowSeconds) => mirror.find(named, nowSeconds),
    async revoke(revocation) {
      const checked = memoryRevocations();
      checked.revoke(revocation);
      await mirror.write({ name: revocationKey(revocation), until: revocation.until, inForce: true });
    },
    async restore(revocable) {
      memoryRevocations().restore(revocable);
      await mirror.write({ name: revocationKey(revocable), until: undefined, inForce: false });
    },
    async freeze(what) {
      await mirror.write({ name: frozenName('freeze', what), until: undefined, inForce: true });
    },
    async unfreeze(what) {
      await mirror.write({ name: frozenName('unfreeze', what), until: undefined, inForce: false });
    },
    list: () => mirror.entries().map(({ name, until }) => ({ name, until })),
    close: () => mirror.close(),
  };
}

/** Checked before the store is asked for anything. @throws ConfigError when an option is unknown or wrong. */
export function checkRevocationOptions(
  owner: string,
  options: SharedRevocationsOptions,
  further: readonly string[] = [],
): void {
  checkOptionNames(owner, options, ['maxStaleSeconds', 'onTrouble', ...further]);
  readValues(owner, options);
}

function readValues(owner: string, { maxStaleSeconds = 5, onTrouble }: SharedRevocationsOptions) {
  return {
    maxStaleSeconds: numberOption(owner, 'maxStaleSeconds', maxStaleSeconds, 1, 300),
    onTrouble: readOnTrouble(owner, onTrouble),
  };
}
