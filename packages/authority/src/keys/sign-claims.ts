import { SignJWT } from 'jose';
import type { SigningKey } from './signing-keys.js';

/** The `typ` of what the authority signs. No one of them passes for another (RFC 8725 §3.11). */
export type SignedType = 'at+jwt' | 'statuslist+jwt' | 'approval+jwt' | 'agent-directory+jwt';

/**
 * Signs claims with the key that signs now. `EdDSA` and not `Ed25519` (RFC 9864): verifiers of other languages may know
 * only the older name.
 */
export async function signClaims(key: SigningKey, type: SignedType, claims: Record<string, unknown>): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: type, kid: key.kid }).sign(key.privateKey);
}
