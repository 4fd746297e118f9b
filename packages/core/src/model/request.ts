import { wireBounds } from '@countersign/common';
import { FieldSection } from '@countersign/signature';
import type { RequestBody } from './request-body.js';

/** A request as it stood on the wire. Adapters build it; nothing in it is decoded, joined or normalised. */
export interface HttpRequest {
  readonly method: string;
  /** The request target exactly as on the request line: undecoded, also under a mounted router. */
  readonly target: string;
  /** Ordered raw fields: name, value, name, value, … Duplicates kept (Node's `rawHeaders`). */
  readonly rawHeaders: readonly string[];
  /**
   * The fields as the application reads them, by name in lower case (Node's `headers`). A signed field that reads
   * otherwise here than in `rawHeaders` refuses the request. Absent: the application reads `rawHeaders`.
   */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>> | undefined;
  /** Address of the connected peer; never taken from a header. Without it, a guard with `trustedProxies` finds no certificate. */
  readonly remoteAddress?: string | undefined;
  readonly body: RequestBody;
  /** The socket, in HTTP/2 that of the session. Its certificate counts if the guard accepts `mtls`. */
  readonly connection?: object | undefined;
  /** Whether the connection has been closed meanwhile. Default: never. */
  readonly clientIsGone?: (() => boolean) | undefined;
  /**
   * Cuts the exchange. With it, `guard.close()` waits until the request has been completed, and cuts it if that takes too
   * long. Default: nothing is waited for.
   */
  readonly cut?: (() => void) | undefined;
}

/** A request with one index of its header section, which all stages read. */
export interface IndexedRequest extends HttpRequest {
  readonly fields: FieldSection;
}

export function indexed(request: HttpRequest): IndexedRequest {
  const { method, target, rawHeaders, headers, remoteAddress, body, connection, clientIsGone, cut } = request;
  const fields = new FieldSection(rawHeaders);
  return { method, target, rawHeaders, headers, remoteAddress, body, connection, clientIsGone, cut, fields };
}

/** What the audit log says of a request; of a local caller only the id. The query stays out: it may hold secrets. */
export interface RequestFacts {
  readonly id: string;
  readonly method?: string;
  readonly path?: string;
  readonly remoteAddress?: string;
  /** Which of the guard's origins the request was for, once it is verified; absent if there is only one. */
  readonly authority?: string;
}

/** The path of a request target as it was sent: undecoded, without scheme, authority and query; `/` if empty. */
export function pathOf(target: string): string {
  const local = target.startsWith('/') ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  const end = local.search(/[?#]/);
  return (end === -1 ? local : local.slice(0, end)) || '/';
}

/** Whether target and fields are more than is ever looked through. */
export function fieldsTooLarge(target: string, rawHeaders: readonly string[]): boolean {
  if (rawHeaders.length > 2 * wireBounds.fieldLines) return true;
  return rawHeaders.reduce((size, text) => size + text.length + 2, target.length) > wireBounds.fieldsLength;
}

/**
 * Whether a signature may carry this tag. Read loosely: when in doubt it does, and has to verify. A longer name is another
 * tag, such as that of webhooks.
 */
export function mentionsTag(fields: FieldSection, tag: string): boolean {
  return fields.raw('signature-input').some((value) =>
    value
      .split(tag)
      .slice(1)
      .some((rest) => !/^[\w-]/.test(rest)),
  );
}
