import { fieldValues } from '../address/fields.js';
import type { Settings } from '../../options/options.js';
import { profileTag } from '@countersign/common';
import { refusal } from '../../model/refusal.js';
import { presentsDpop, provedByDpop } from './by-dpop.js';
import { provedBySignature } from './by-signature.js';
import { provedByWebBotAuth, webBotAuthTag } from './by-web-bot-auth.js';
import { notProved, type PossessionResult } from './possession.js';
import type { PresentedProof } from './presented.js';

/**
 * Chooses, by what the request carries, the one proof of possession that counts, and verifies it. What is present but
 * broken never falls back to another. Never rejects.
 */
export async function provePossession(presented: PresentedProof, settings: Settings): Promise<PossessionResult> {
  const { authorization, request } = presented;
  const { dpop, webBotAuth } = settings;
  const signed = mentionsTag(request.rawHeaders, profileTag);
  if (dpop !== undefined && presentsDpop(authorization, request.rawHeaders)) {
    // Two proofs could be of two keys, and a middleman could have added one of them.
    if (signed) return notProved(refusal('proof_ambiguous', 'a signature and a DPoP proof'));
    return await provedByDpop(presented, dpop, settings);
  }
  if (webBotAuth !== undefined && !signed && mentionsTag(request.rawHeaders, webBotAuthTag)) {
    return await provedByWebBotAuth(presented, webBotAuth, settings);
  }
  return await provedBySignature(presented, settings);
}

/** Read loosely: when in doubt our own signature is there, and has to verify. */
export function mentionsTag(rawHeaders: readonly string[], tag: string): boolean {
  return fieldValues(rawHeaders, 'signature-input').some((value) => value.includes(tag));
}
