/**
 * The payload of a JWT, unverified: good for what an agent tells itself about a credential that it holds, never for what
 * it believes of others. Undefined if it is no JSON object.
 */
export function payloadOf(jwt: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const payload: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof payload === 'object' && payload !== null && !Array.isArray(payload)
      ? (payload as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
