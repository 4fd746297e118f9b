import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { checkOptionNames, ConfigError, guardDefaults, guardMaxima, integerOption } from '@countersign/common';

/** How DPoP proofs (RFC 9449) are accepted. */
export interface DpopOptions {
  /** Oldest proof accepted, in seconds. Default 60. */
  readonly maxAgeSeconds?: number;
  /**
   * `required`: every proof must hold a nonce of ours (RFC 9449 §9), so that none can be made in advance. A client that
   * has none is answered 401 `use_dpop_nonce` with one, and repeats its request. Default: none is asked for.
   */
  readonly nonce?: 'required';
  /**
   * What nonces are derived from, at least 32 random bytes: the same in every process that shares an origin. Default:
   * random in each process.
   */
  readonly nonceSecret?: Uint8Array;
}

export interface DpopValues {
  readonly maxAgeSeconds: number;
  /** Undefined if no nonce is asked for. */
  readonly nonceSecret: Uint8Array | undefined;
}

/** @throws ConfigError when an option is wrong. */
export function readDpopOptions(dpop: true | DpopOptions | undefined): DpopValues | undefined {
  if (dpop === undefined) return undefined;
  if (dpop !== true && (typeof dpop !== 'object' || dpop === null)) {
    throw new ConfigError(
      "createGuard: 'dpop' must be true or an object of options; leave it out to accept no proofs.",
    );
  }
  const options: DpopOptions = dpop === true ? {} : dpop;
  checkOptionNames("createGuard: 'dpop'", options, ['maxAgeSeconds', 'nonce', 'nonceSecret']);
  const { maxAgeSeconds = guardDefaults.maxAgeSeconds, nonce, nonceSecret } = options;
  integerOption('createGuard', 'dpop.maxAgeSeconds', maxAgeSeconds, 1, guardMaxima.maxAgeSeconds);
  if (nonce !== undefined && nonce !== 'required') {
    throw new ConfigError("createGuard: 'dpop.nonce' must be 'required', or be left out.");
  }
  if (nonceSecret !== undefined && !(nonceSecret instanceof Uint8Array && nonceSecret.length >= 32)) {
    throw new ConfigError("createGuard: 'dpop.nonceSecret' must be at least 32 random bytes.");
  }
  if (nonceSecret !== undefined && nonce === undefined) {
    throw new ConfigError("createGuard: 'dpop.nonceSecret' is for nonce: 'required' only.");
  }
  return { maxAgeSeconds, nonceSecret: nonce && (nonceSecret ?? randomBytes(32)) };
}

/** Nonces of this server for DPoP proofs (RFC 9449 §9): derived from the time, so that nothing is stored. */
export interface DpopNonces {
  /** The nonce to give out at this moment (unix seconds). */
  current(now: number): string;
  /** Whether we gave this out lately. The text is untrusted input. */
  accepts(nonce: string, now: number): boolean;
}

/** A nonce counts for the rest of its period and all of the next one: two to four minutes. */
const periodSeconds = 120;

export function createDpopNonces(secret: Uint8Array): DpopNonces {
  const key = Buffer.from(secret);
  const nonceOf = (period: number) => createHmac('sha256', key).update(`countersign dpop nonce ${period}`).digest();

  return {
    current: (now) => nonceOf(periodOf(now)).toString('base64url'),
    accepts(nonce, now) {
      const bytes = Buffer.from(nonce, 'base64url');
      const canonical = bytes.length === 32 && bytes.toString('base64url') === nonce;
      return canonical && [0, 1].some((ago) => timingSafeEqual(bytes, nonceOf(periodOf(now) - ago)));
    },
  };
}

function periodOf(now: number): number {
  return Math.floor(now / periodSeconds);
}
