import { isJsonObject, member, type Reading } from '@countersign/common';
import {
  checkRemoteUrl,
  fetchJson,
  type RemoteJson,
  type RemoteOptions,
  readRemoteUrl,
} from '../../remote/remote-json.js';

/**
 * Finds the keys of an issuer by its metadata (RFC 8414, OpenID Connect Discovery 1.0). The result fetches the metadata
 * and then its `jwks_uri`, anew each time: an issuer that moves its keys is followed. It never rejects.
 *
 * @throws ConfigError when the metadata may not be fetched from there.
 */
export function discoverKeys(owner: string, issuer: string, options: RemoteOptions): () => Promise<RemoteJson> {
  const places = metadataUrls(issuer).map((url) => readRemoteUrl(owner, url, options));
  return async () => {
    const metadata = await fetchFirst(places, options);
    if (!metadata.ok) return metadata;
    const jwksUri = readMetadata(metadata.json, issuer, options);
    return jwksUri.ok ? fetchJson(jwksUri.value, options) : jwksUri;
  };
}

/** RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect Discovery 1.0 §4.1 after it. */
function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

/** The first document there is. One that is there and wrong is not made up for by another. */
async function fetchFirst(places: readonly URL[], options: RemoteOptions): Promise<RemoteJson> {
  const problems: string[] = [];
  for (const place of places) {
    const fetched = await fetchJson(place, options);
    if (fetched.ok) return fetched;
    problems.push(`${place.href}: ${fetched.problem}`);
  }
  return { ok: false, problem: `its metadata cannot be fetched: ${problems.join('; ')}` };
}

function readMetadata(metadata: unknown, issuer: string, options: RemoteOptions): Reading<URL> {
  if (!isJsonObject(metadata)) return problem('it is not an object');
  // RFC 8414 §3.3: identical, else whoever can serve one document speaks for every issuer (mix-up).
  if (member(metadata, 'issuer') !== issuer) return problem('it is the metadata of another issuer');
  const jwksUri = member(metadata, 'jwks_uri');
  if (typeof jwksUri !== 'string') return problem("it has no 'jwks_uri'");
  const url = checkRemoteUrl(jwksUri, options);
  return url.ok ? url : problem(`its 'jwks_uri' is refused: ${url.problem}`);
}

function problem(text: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem: `its metadata cannot be used: ${text}` };
}
