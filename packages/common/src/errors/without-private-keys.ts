/** A PEM, or the base64 of an Ed25519 key in PKCS #8 (RFC 8410), which always begins alike. */
const PRIVATE_KEY =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END)[^])*(?:-----END [A-Z ]*PRIVATE KEY-----)?|MC4CAQAwBQYDK2VwBCIE[\w+/-]*=*/g;

/** The text with `[a private key]` for each private key: people pass the key itself where its file is expected. */
export function withoutPrivateKeys(text: string): string {
  return text.replace(PRIVATE_KEY, '[a private key]');
}
