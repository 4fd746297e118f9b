import type { Ed25519 } from './ed25519-signer.js';
import { nativeEd25519 } from './native-ed25519.js';
import { tweetnaclEd25519 } from './tweetnacl-ed25519.js';

// RFC 8032 §7.1, test 1: the seed, and the signature of the empty message.
const probeSeed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const probeSignature =
  'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b';

/**
 * node:crypto where it can sign with Ed25519 (about 30 times faster), TweetNaCl where it cannot, as under a FIPS
 * provider. Decided by signing once and looking at the result, not by asking for a version.
 */
export function selectEd25519(native: Ed25519 = nativeEd25519): Ed25519 {
  return signsCorrectly(native) ? native : tweetnaclEd25519;
}

function signsCorrectly(candidate: Ed25519): boolean {
  try {
    const signature = candidate.signer(Buffer.from(probeSeed, 'hex')).sign(new Uint8Array(0));
    return Buffer.from(signature).toString('hex') === probeSignature;
  } catch {
    return false;
  }
}

let selected: Ed25519 | undefined;

/** The implementation for this process, selected at first use. */
export function availableEd25519(): Ed25519 {
  selected ??= selectEd25519();
  return selected;
}
