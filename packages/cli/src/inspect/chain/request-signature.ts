import { parseSignatureInput, requireComponents, verificationKey, verifyMessage } from '@countersign/signature';
import { bodyFields, credentialFields, guardDefaults, profileTag, targetComponents } from '@countersign/common';
import type { Proof } from './credentials.js';
import type { PresentedRequest } from './presented.js';
import type { Trust } from './trust.js';

/** The claimed signer of the request, and the result of the verification. */
export interface RequestSignature {
  readonly keyId?: string;
  readonly proof: Proof;
  readonly problems: readonly string[];
}

const { maxAgeSeconds, clockSkewSeconds } = guardDefaults;

/** Verifies the signature of a request head. The body is not available, so its digest is not compared. */
export async function requestSignature(
  { line, rawFields }: PresentedRequest,
  { agents }: Trust,
  now: number,
): Promise<RequestSignature> {
  const { keyId, created } = claimedBy(fieldOf(rawFields, 'signature-input'));
  if (keyId === undefined) {
    return { proof: 'unchecked', problems: ['The request has no signature with the tag "countersign".'] };
  }
  if (agents === undefined || line === undefined) return { keyId, proof: 'unchecked', problems: [] };
  const known = agents.byKey(keyId);
  const verified = await verifyMessage(
    {
      method: line.method,
      scheme: 'https',
      authority: fieldOf(rawFields, 'host') ?? '',
      target: line.target,
      rawFields,
    },
    {
      select: { tag: profileTag },
      components: requireComponents({
        all: ['@method'],
        oneOf: [['@target-uri'], targetComponents],
        ifPresent: [...credentialFields, ...bodyFields],
      }),
      parameters: ['created', 'nonce', 'keyid'],
      algorithms: ['ed25519'],
      // The request was sent some time ago, so its age is reported separately from the signature.
      now: created ?? now,
      maxAgeSeconds,
      clockSkewSeconds,
      resolveKey: () =>
        known === undefined ? { problem: 'its key is not in the agents.json' } : verificationKey(known.key.publicKey),
    },
  );
  if (verified.ok) return { keyId, proof: 'verified', problems: tooOld(created, now) };
  return { keyId, proof: 'invalid', problems: [`The signature of the request does not count: ${verified.code}.`] };
}

function tooOld(created: number | undefined, now: number): string[] {
  if (created === undefined || now - created <= maxAgeSeconds) return [];
  return [
    `The signature of the request is older than ${maxAgeSeconds} seconds, the most that a guard accepts by default.`,
  ];
}

function claimedBy(value: string | undefined): { readonly keyId?: string; readonly created?: number } {
  const parsed = value === undefined ? undefined : parseSignatureInput(value);
  if (parsed?.ok !== true) return {};
  const ours = [...parsed.inputs.values()].find(({ parameters }) => parameters.get('tag')?.value === profileTag);
  const [keyId, created] = [ours?.parameters.get('keyid'), ours?.parameters.get('created')];
  return {
    ...(keyId?.type === 'string' && { keyId: keyId.value }),
    ...(created?.type === 'integer' && { created: created.value }),
  };
}

function fieldOf(rawFields: readonly string[], wanted: string): string | undefined {
  const at = rawFields.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === wanted);
  return at === -1 ? undefined : rawFields[at + 1];
}
