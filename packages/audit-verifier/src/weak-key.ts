/** The prime of the field of Ed25519 (RFC 8032 §5.1). */
const p = 2n ** 255n - 19n;

/** y of two of the four points of order eight; the other two have p minus it. */
const yOfOrder8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;

/** The y of all eight points whose order divides eight. */
const smallOrder: ReadonlySet<bigint> = new Set([0n, 1n, p - 1n, yOfOrder8, p - yOfOrder8]);

/**
 * Whether the 32 bytes of an Ed25519 public key are a point of small order, under which anybody can sign, or a
 * non-canonical encoding, so that one key has several texts.
 */
export function isWeakKey(bytes: Uint8Array): boolean {
  // Little-endian; the top bit is the sign of x.
  const y = BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`) & (2n ** 255n - 1n);
  return y >= p || smallOrder.has(y);
}
