/** The private half of one Ed25519 key, ready to sign. */
export interface Ed25519Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. Ed25519 is deterministic: every implementation gives the same ones. */
  sign(data: Uint8Array): Uint8Array;
}

/** A way to do Ed25519 on this machine. */
export interface Ed25519 {
  readonly name: 'native' | 'tweetnacl';
  /** Makes a signer from the 32-byte seed (RFC 8032 §5.1.5); throws where the algorithm does not exist. */
  signer(seed: Uint8Array): Ed25519Signer;
}
