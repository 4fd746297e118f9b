import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { Ed25519 } from './ed25519-signer.js';
import { pkcs8FromSeed } from './pkcs8.js';

/** Ed25519 by node:crypto. */
export const nativeEd25519: Ed25519 = {
  name: 'native',
  signer(seed) {
    const privateKey = createPrivateKey({ key: pkcs8FromSeed(seed), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    return {
      publicKey: new Uint8Array(spki.subarray(-32)),
      sign: (data) => new Uint8Array(sign(null, data, privateKey)),
    };
  },
};
