import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCanonicalS } from '../src/ed25519.js';
import { isWeakEd25519Key, verificationKey } from '../src/index.js';

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** Curve arithmetic on −x² + y² = 1 + d·x²·y², written here to derive the eight points instead of trusting a list. */
const mod = (value: bigint): bigint => ((value % P) + P) % P;
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) result = mod(result * b);
  return result;
}
const inverse = (value: bigint): bigint => power(value, P - 2n);
const D = mod(-121665n * inverse(121666n));
type Point = readonly [bigint, bigint];
function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const product = mod(D * x1 * x2 * y1 * y2);
  return [mod((x1 * y2 + x2 * y1) * inverse(1n + product)), mod((y1 * y2 + x1 * x2) * inverse(1n - product))];
}
function multiply(point: Point, scalar: bigint): Point {
  let result: Point = [0n, 1n];
  for (let p = point, e = scalar; e > 0n; e >>= 1n, p = add(p, p)) if (e & 1n) result = add(result, p);
  return result;
}
function root(value: bigint): bigint | undefined {
  const candidate = power(value, (P + 3n) / 8n);
  if (mod(candidate * candidate - value) === 0n) return candidate;
  const other = mod(candidate * power(2n, (P - 1n) / 4n));
  return mod(other * other - value) === 0n ? other : undefined;
}
function pointWithY(y: bigint): Point | undefined {
  const x = root(mod((y * y - 1n) * inverse(D * y * y + 1n)));
  return x === undefined ? undefined : [x, y];
}
function encode(y: bigint, sign: 0 | 1): Buffer {
  const hex = (y + (sign === 1 ? 2n ** 255n : 0n)).toString(16).padStart(64, '0');
  return Buffer.from(Buffer.from(hex, 'hex').toReversed());
}

/** All points whose order divides eight: L times any point, until eight different ones are found. */
function torsionPoints(): Point[] {
  const found = new Map<string, Point>();
  for (let y = 2n; found.size < 8; y += 1n) {
    const point = pointWithY(y);
    if (point === undefined) continue;
    const torsion = multiply(point, L);
    for (let k = 0n; k < 8n; k += 1n) {
      const multiple = multiply(torsion, k);
      found.set(multiple.join(), multiple);
    }
  }
  return [...found.values()];
}

describe('weak Ed25519 keys', () => {
  const points = torsionPoints();

  it('all eight points of small order are weak, with either sign of x [A15]', () => {
    expect(points).toHaveLength(8);
    for (const [, y] of points) {
      expect(isWeakEd25519Key(encode(y, 0))).toBe(true);
      expect(isWeakEd25519Key(encode(y, 1))).toBe(true);
    }
  });

  it('encodings with y ≥ p are weak, those of small order among them [A15]', () => {
    for (let y = P; y < 2n ** 255n; y += 1n) {
      expect(isWeakEd25519Key(encode(y, 0))).toBe(true);
      expect(isWeakEd25519Key(encode(y, 1))).toBe(true);
    }
  });

  it('anything but 32 bytes is weak, and so are all zeros and all ones [A15]', () => {
    expect(isWeakEd25519Key(new Uint8Array(0))).toBe(true);
    expect(isWeakEd25519Key(new Uint8Array(31).fill(7))).toBe(true);
    expect(isWeakEd25519Key(new Uint8Array(33).fill(7))).toBe(true);
    expect(isWeakEd25519Key(new Uint8Array(32))).toBe(true);
    expect(isWeakEd25519Key(new Uint8Array(32).fill(0xff))).toBe(true);
  });

  it('keys that were generated are not weak', () => {
    for (let n = 0; n < 50; n += 1) {
      const { publicKey } = generateKeyPairSync('ed25519');
      expect(isWeakEd25519Key(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'))).toBe(false);
    }
  });

  it('verificationKey refuses one, although node:crypto accepts it [A15]', () => {
    const x = encode(1n, 0).toString('base64url');
    const weak = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
    expect(() => verificationKey(weak)).toThrow('weak');
  });
});

describe('canonical S', () => {
  const { privateKey } = generateKeyPairSync('ed25519');

  it('S + L is refused, S is not [A15]', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        const signature = sign(null, data, privateKey);
        expect(hasCanonicalS(signature)).toBe(true);
        const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString('hex')}`);
        const shifted = Buffer.concat([signature.subarray(0, 32), encode(s + L, 0)]);
        expect(hasCanonicalS(shifted)).toBe(false);
      }),
    );
    expect(hasCanonicalS(Buffer.concat([Buffer.alloc(32), encode(L, 0)]))).toBe(false);
    expect(hasCanonicalS(Buffer.concat([Buffer.alloc(32), encode(L - 1n, 0)]))).toBe(true);
  });
});
