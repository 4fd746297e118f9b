import nacl from 'tweetnacl';
import type { Ed25519 } from './ed25519-signer.js';

/** Ed25519 by TweetNaCl. It signs and derives keys only: it accepts non-canonical signatures, so it never verifies. */
export const tweetnaclEd25519: Ed25519 = {
  name: 'tweetnacl',
  signer(seed) {
    const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(new Uint8Array(seed));
    return { publicKey, sign: (data) => nacl.sign.detached(new Uint8Array(data), secretKey) };
  },
};
