import { isJsonObject, member, parseStrictJson, readBounded, secureUrl } from '@countersign/common';
import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { ExternalIssuerOptions } from '../options/authority-options.js';

export type ResolveKey = JWTVerifyGetKey;

/** The keys of an external issuer cannot be fetched: our outage, not the fault of the agent. */
export class IssuerUnavailable extends Error {
  override readonly name = 'IssuerUnavailable';
  readonly statusCode = 503;
}

const timeoutMilliseconds = 5000;
const maxMetadataBytes = 262_144;

/** Finds the key of an issuer that a token names. Rejects with `IssuerUnavailable` while its keys cannot be fetched. */
export function keysOfIssuer({ issuer, jwks, jwksUri }: ExternalIssuerOptions): ResolveKey {
  if (jwks !== undefined) return createLocalJWKSet(jwks as JSONWebKeySet);
  let remote: Promise<ResolveKey> | undefined;
  let worked = false;

  async function open(): Promise<ResolveKey> {
    const url = jwksUri === undefined ? await discover(issuer) : new URL(jwksUri);
    return createRemoteJWKSet(url, { timeoutDuration: timeoutMilliseconds, cooldownDuration: 30_000 });
  }

  return async (header, token) => {
    remote ??= open();
    try {
      const resolve = await remote;
      const key = await resolve(header, token);
      worked = true;
      return key;
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      // Discovered again for the next token. Keys that we hold are kept when a later refresh fails.
      if (!worked) remote = undefined;
      throw new IssuerUnavailable(`the keys of '${issuer}' cannot be fetched`, { cause: error });
    }
  };
}

/** The address of the keys by the metadata of the issuer (OpenID Connect Discovery 1.0 §4). */
async function discover(issuer: string): Promise<URL> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  if (response.status !== 200 || response.body === null)
    throw new Error(`its metadata is answered with ${response.status}`);
  const bytes = await readBounded(response.body, maxMetadataBytes);
  const read = bytes === undefined ? undefined : parseStrictJson(bytes);
  const metadata = read?.ok === true && isJsonObject(read.value) ? read.value : {};
  // Another name would be another issuer, which is mixed up with this one.
  if (member(metadata, 'issuer') !== issuer) throw new Error('its metadata names another issuer');
  const url = secureUrl(member(metadata, 'jwks_uri'), 'loopback');
  if (!url.ok) throw new Error('its metadata has no jwks_uri');
  return url.url;
}
