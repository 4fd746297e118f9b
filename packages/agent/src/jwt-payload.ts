import { isJsonObject, type JsonObject } from '@countersign/common';

/**
 * The payload of a JWT, unverified: good for what an agent tells itself about a credential that it holds, never for what
 * it believes of others. Undefined if it is no JSON object.
 */
export function payloadOf(jwt: string): JsonObject | undefined {
  return partOf(jwt, 1);
}

/** Its header, no more verified. */
export function headerOf(jwt: string): JsonObject | undefined {
  return partOf(jwt, 0);
}

function partOf(jwt: string, part: 0 | 1): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(Buffer.from(jwt.split('.')[part] ?? '', 'base64url').toString('utf8'));
    return isJsonObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}
