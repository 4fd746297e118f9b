import { isJsonObject, type JsonObject } from '@countersign/common';

/**
 * The payload of a JWT, unverified: for an agent's own checks of a credential that it holds, never as a proof. Undefined if
 * it is not a JSON object.
 */
export function payloadOf(jwt: string): JsonObject | undefined {
  return partOf(jwt, 1);
}

/** The header of a JWT, unverified. */
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
