import { createHash, generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { openCheckpoint } from '../src/checkpoint.js';
import { formatVerifierKey, parseVerifierKey, readVerifierKey } from '../src/note.js';
import { isWeakKey } from '../src/weak-key.js';

const name = 'acme.dev/audit';
const p = 2n ** 255n - 19n;
const yOfOrder8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;

function encoded(y: bigint, sign: 0 | 1): Buffer {
  const bytes = Buffer.from(Buffer.from(y.toString(16).padStart(64, '0'), 'hex').toReversed());
  bytes[31]! |= sign << 7;
  return bytes;
}

function verifierKey(point: Uint8Array): string {
  const bytes = Buffer.concat([Uint8Array.of(1), point]);
  const id = createHash('sha256').update(`${name}\n`).update(bytes).digest('hex').slice(0, 8);
  return `${name}+${id}+${bytes.toString('base64')}`;
}

const smallOrder = [0n, 1n, p - 1n, yOfOrder8, p - yOfOrder8].flatMap((y) => [encoded(y, 0), encoded(y, 1)]);
const notCanonical = Array.from({ length: 19 }, (_, more) => p + BigInt(more)).flatMap((y) => [
  encoded(y, 0),
  encoded(y, 1),
]);

it('isWeakKey refuses points of small order and non-canonical encodings [N2]', () => {
  for (const point of [...smallOrder, ...notCanonical]) {
    expect(readVerifierKey(verifierKey(point)), point.toString('hex')).toBe('weak_key');
  }
});

it('openCheckpoint refuses a forged note under the identity point as key [N2]', () => {
  const identity = encoded(1n, 0);
  const key = verifierKey(identity);
  const root = Buffer.alloc(32, 7).toString('base64');
  // R is the identity and S zero: the equation holds whatever the text says.
  const signature = Buffer.concat([Buffer.from(key.split('+')[1]!, 'hex'), identity, Buffer.alloc(32)]);
  const forged = `${name}\n7\n${root}\n\n— ${name} ${signature.toString('base64')}\n`;
  expect(openCheckpoint(forged, key)).toEqual({ ok: false, problem: 'bad_key' });
});

it('isWeakKey accepts generated keys', () => {
  for (let count = 0; count < 50; count++) {
    const key = formatVerifierKey(name, generateKeyPairSync('ed25519').publicKey);
    expect(parseVerifierKey(key)).toBeDefined();
  }
});

it('isWeakKey accepts the neighbours of refused points', () => {
  for (const y of [2n, p - 2n, yOfOrder8 + 1n]) expect(isWeakKey(encoded(y, 1))).toBe(false);
});
