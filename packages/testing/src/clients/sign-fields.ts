/** A request before it is signed. */
export interface RequestToSign {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/** Resolves to all fields to send, `host` among them. */
export type SignFields = (request: RequestToSign) => Promise<Record<string, string>>;

export function withBody(
  given: unknown,
  headers: Readonly<Record<string, string>>,
): Pick<RequestToSign, 'headers' | 'body'> {
  const fields = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (given === undefined) return { headers: fields, body: undefined };
  if (typeof given === 'string' || given instanceof Uint8Array) return { headers: fields, body: given };
  return { headers: { 'content-type': 'application/json', ...fields }, body: JSON.stringify(given) };
}
