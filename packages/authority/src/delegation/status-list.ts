import { deflateSync } from 'node:zlib';
import type { SigningKeys } from '../keys/signing-keys.js';
import { signClaims } from '../keys/sign-claims.js';
import type { Ledger } from './ledger.js';

/** Tokens in one list. A list is 8 KiB before it is packed. */
const size = 65_536;
/** Guards ask again after so many seconds: so long, at most, a revocation takes to have effect in a guard. */
const ttlSeconds = 15;
export const statusListLifetimeSeconds = 300;
/** Anybody may ask: to read the dead tokens takes at most a twentieth of the time, unless that would be later than so. */
const share = 20;
const longestHoldMilliseconds = 5000;

/** Where the status of a token is (Token Status List, draft-ietf-oauth-status-list, §6). */
export function statusReference(issuer: string, index: number): { readonly idx: number; readonly uri: string } {
  return { idx: index % size, uri: listUri(issuer, Math.floor(index / size)) };
}

function listUri(issuer: string, list: number): string {
  return `${issuer}/status/${list}`;
}

export interface StatusListOptions {
  readonly issuer: string;
  readonly ledger: Ledger;
  readonly keys: SigningKeys;
  readonly now: () => number;
}

/** All lists at one moment. Each is signed when it is asked for, once. */
interface Snapshot {
  readonly tokens: Map<number, Promise<string>>;
  readonly sign: (list: number) => Promise<string>;
  readonly holdUntil: number;
}

/**
 * The Status List Tokens by the numbers of their lists: a bit for each token, set if it is revoked in any way, and if the
 * ledger has lost it. A place that was not given out yet is 0: guards keep a list for some seconds.
 */
export function createStatusLists(options: StatusListOptions): (list: number) => Promise<string | undefined> {
  let flight: Promise<Snapshot> | undefined;
  let last: Snapshot | undefined;
  let looking: Promise<number> | undefined;

  /** One for all that ask at once, so that strangers do not take all connections of a pool. */
  async function lastPlace(): Promise<number> {
    looking ??= options.ledger.lastPlace().finally(() => {
      looking = undefined;
    });
    return await looking;
  }

  /** Looked for a second time, because the first may have begun before the token was made for which a guard asks. */
  async function exists(list: number): Promise<boolean> {
    const first = list * size;
    return first === 0 || first <= (await lastPlace()) || first <= (await lastPlace());
  }

  /** One for all lists, because to find the dead tokens costs the same for one list and for all. */
  async function snapshot(): Promise<Snapshot> {
    if (last !== undefined && performance.now() < last.holdUntil) return last;
    flight ??= takeSnapshot(options).finally(() => {
      flight = undefined;
    });
    last = await flight;
    return last;
  }

  return async (list) => {
    if (!(await exists(list))) return undefined;
    const { tokens, sign } = await snapshot();
    let token = tokens.get(list);
    if (token === undefined) tokens.set(list, (token = sign(list)));
    return await token;
  };
}

async function takeSnapshot({ issuer, ledger, keys, now }: StatusListOptions): Promise<Snapshot> {
  const began = performance.now();
  const dead = await ledger.dead();
  // Later, so that a dead token that is deleted in between is missing.
  const missing = await ledger.missing();
  const at = now();
  const ended = performance.now();
  const sign = async (list: number): Promise<string> => {
    const bytes = Buffer.alloc(size / 8);
    const first = list * size;
    const set = (index: number): void => {
      const place = index - first;
      if (place >= 0 && place < size) bytes[place >> 3] = (bytes[place >> 3] ?? 0) | (1 << (place & 7));
    };
    for (const index of dead) set(index);
    for (const [from, to] of missing) {
      for (let index = Math.max(from, first); index <= Math.min(to, first + size - 1); index++) set(index);
    }
    return await signClaims(keys.current(at), 'statuslist+jwt', {
      iss: issuer,
      sub: listUri(issuer, list),
      iat: at,
      exp: at + statusListLifetimeSeconds,
      ttl: ttlSeconds,
      status_list: { bits: 1, lst: deflateSync(bytes, { level: 9 }).toString('base64url') },
    });
  };
  return { tokens: new Map(), sign, holdUntil: ended + Math.min(share * (ended - began), longestHoldMilliseconds) };
}
