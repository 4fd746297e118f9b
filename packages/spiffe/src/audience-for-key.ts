/**
 * The audience of a JWT-SVID that counts at an authority only together with a proof of one key, by the RFC 7638 thumbprint
 * of that key. No issuer has a fragment in its name (RFC 8414 §2), so it is never the audience of another server.
 *
 * @example
 * const svid = await fetchJwtSvid(socket, { audience: audienceForKey('https://id.acme.dev', thumbprint) });
 */
export function audienceForKey(authority: string, thumbprint: string): string {
  return `${authority}#jkt=${thumbprint}`;
}
