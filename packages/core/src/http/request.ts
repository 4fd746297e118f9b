import type { RequestBody } from '../body/request-body.js';

/** A request as it stood on the wire. Adapters build it; nothing in it is decoded, joined or normalised. */
export interface HttpRequest {
  readonly method: string;
  /** The request target exactly as on the request line: undecoded, also under a mounted router. */
  readonly target: string;
  /** Ordered raw fields: name, value, name, value, … Duplicates kept (Node's `rawHeaders`). */
  readonly rawHeaders: readonly string[];
  /** Address of the connected peer; never taken from a header. */
  readonly remoteAddress?: string;
  readonly body: RequestBody;
}
