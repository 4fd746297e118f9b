import { type JsonObject, member } from '@countersign/common';
import { send, type SendSettings, unavailable } from './send.js';

/** Asks for the metadata before it is needed, beside other work. Undefined, whatever failed: it is asked for again. */
export async function discoverEarly(
  issuer: string,
  settings: SendSettings,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  return await discover(issuer, settings, signal).catch(() => undefined);
}

/** The metadata of the authority (RFC 8414 §3; OpenID Connect Discovery §4). */
export async function discover(issuer: string, settings: SendSettings, signal?: AbortSignal): Promise<JsonObject> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const addresses = [
    new URL(`/.well-known/oauth-authorization-server${path}`, origin),
    new URL(`${path}/.well-known/openid-configuration`, origin),
  ];
  for (const address of addresses) {
    const { status, json } = await send(settings, issuer, address, { method: 'GET', signal });
    if (status !== 200) continue;
    // Metadata of another issuer would send the assertion to another server.
    if (member(json, 'issuer') !== issuer) throw unavailable(issuer, 'its metadata names another issuer');
    return json;
  }
  throw unavailable(issuer, 'it has no metadata');
}
