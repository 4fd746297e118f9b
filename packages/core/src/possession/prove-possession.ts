import type { Settings } from '../options.js';
import { provedBySignature } from './by-signature.js';
import type { PossessionResult } from './possession.js';
import type { PresentedProof } from './presented.js';

/** Chooses, by what the request carries, the one proof of possession that counts, and verifies it. Never rejects. */
export function provePossession(presented: PresentedProof, settings: Settings): Promise<PossessionResult> {
  return provedBySignature(presented, settings);
}
