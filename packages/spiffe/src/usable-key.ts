import type { KeyObject } from 'node:crypto';

/**
 * RFC 7518 §3.3 asks for 2048 bits, FIPS 186-5 §5.4 for an exponent that is odd and not smaller: with 1, the signature is
 * the message itself. Larger keys than these limits block the process while it verifies.
 */
const rsa = { leastBits: 2048, mostBits: 8192, smallestExponent: 65_537n, largestExponent: 0xffff_ffffn };
const curves = ['prime256v1', 'secp384r1', 'secp521r1'];

/** Whether a public key is neither weak enough to forge with, nor expensive to verify with. */
export function isUsableKey({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case 'ed25519':
    case 'ed448':
      return true;
    case 'ec':
      return curves.includes(namedCurve);
    case 'rsa':
    case 'rsa-pss':
      return (
        modulusLength >= rsa.leastBits &&
        modulusLength <= rsa.mostBits &&
        publicExponent >= rsa.smallestExponent &&
        publicExponent <= rsa.largestExponent &&
        publicExponent % 2n === 1n
      );
    default:
      return false;
  }
}
