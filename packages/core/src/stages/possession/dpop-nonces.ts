import { createHmac, timingSafeEqual } from 'node:crypto';

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
