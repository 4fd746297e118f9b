/** The prime of the field and the order of the base point (RFC 8032 §5.1). */
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** y of two of the four points of order eight; the other two have P minus it. */
const Y_OF_ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;

/** The y of all eight points whose order divides eight: identity, order 2, order 4 (both), order 8 (all four). */
const SMALL_ORDER: ReadonlySet<bigint> = new Set([1n, P - 1n, 0n, Y_OF_ORDER_8, P - Y_OF_ORDER_8]);

/**
 * Whether a raw Ed25519 public key is unsafe to register: it is a point of small order, for which one signature verifies
 * for many messages (OpenSSL accepts such keys), its encoding is not canonical, or it is not 32 bytes long.
 *
 * @example isWeakEd25519Key(new Uint8Array(32)) // true
 */
export function isWeakEd25519Key(raw: Uint8Array): boolean {
  if (raw.length !== 32) return true;
  // The top bit is the sign of x. With small order or y ≥ p either sign is refused.
  const y = littleEndian(raw) & (2n ** 255n - 1n);
  return y >= P || SMALL_ORDER.has(y);
}

/** RFC 8032 §5.1.7: S must be below L, or anyone could turn one valid signature into another. */
export function hasCanonicalS(signature: Uint8Array): boolean {
  // S below 2^252 is always below L; almost every honest signature takes this path.
  if ((signature[63] ?? 0xff) < 0x10) return true;
  return littleEndian(signature.subarray(32, 64)) < L;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
}
