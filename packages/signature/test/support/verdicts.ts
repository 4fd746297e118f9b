import { expect } from 'vitest';
import {
  type RequestMessage,
  requireComponents,
  type SignatureParameters,
  type VerificationKey,
  type VerificationPolicy,
  verifyMessage,
} from '../../src/index.js';
import { PARAMETERS, policy, request, signed, verifier, withFields } from './messages.js';

export async function codeOf(message: RequestMessage, changes: Partial<VerificationPolicy> = {}): Promise<string> {
  const result = await verifyMessage(message, policy(changes));
  return result.ok ? 'ok' : result.code;
}

export async function codeAt(parameters: SignatureParameters, now: number): Promise<string> {
  return codeOf(await signed(request(), { parameters: { ...PARAMETERS, ...parameters } }), { now });
}

export function bare(input: string, signature = 'sig=:AAAA:'): RequestMessage {
  return withFields(request(), 'Signature-Input', input, 'Signature', signature);
}

export function publicAsSecret(): VerificationKey {
  return { algorithm: 'hmac-sha256', publicKey: verifier.publicKey };
}

export function outage(): Promise<never> {
  return Promise.reject(new Error('directory down'));
}

export function neverAsked(): never {
  return expect.fail('asked');
}

export const nothingRequired = { components: requireComponents({}), parameters: [] };
