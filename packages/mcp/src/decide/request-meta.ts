import { type JsonRpcError, type JsonRpcRequest, memberOf } from './json-rpc.js';
import type { ListItems } from './catalogue.js';

/** What is known of a request besides its message. */
export interface McpSurroundings {
  /** Lists what the server offers. Without it only what was learnt can be called by name. */
  readonly list?: ListItems;
  /** Whether the server runs in this process, so that a list costs little: then it is asked about declared tools, too. */
  readonly isInProcess?: boolean;
  /** The fields of HTTP, to be compared with the message. */
  readonly headers?: Headers;
  /** Which server it is for: a state that another one gave away does not count. */
  readonly endpoint?: string;
  /** The approval that came in `_meta`, if that was cut before. */
  readonly approval?: unknown;
  /** Whether the client opens a page for its user. Default: what the `_meta` of revision 2026-07-28 says. */
  readonly opensPages?: boolean;
  /** What another reader of the request could take otherwise, if that tells of what it asks for. */
  readonly ambiguity?: JsonRpcError;
  /** Whether it is of revision 2026-07-28, whose answers may be cached. Default: what its `_meta` says. */
  readonly isModern?: boolean;
}

/** A request, read as far as it is needed to decide. */
export interface AskedRequest extends McpSurroundings {
  readonly request: JsonRpcRequest;
  readonly isUndigestible: boolean;
  readonly isModern: boolean;
}

/** From the revision 2026-07-28 on each request says its version, and answers may be cached. */
export function isModernRequest({ params }: JsonRpcRequest): boolean {
  return typeof memberOf(memberOf(params, '_meta'), 'io.modelcontextprotocol/protocolVersion') === 'string';
}

export function traceparentOf({ params }: JsonRpcRequest): string | undefined {
  const given = memberOf(memberOf(params, '_meta'), 'traceparent');
  const isTraceparent = typeof given === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(given);
  return isTraceparent ? given : undefined;
}

const approvalName = 'countersign/approval';

/** The approval in the parameters, as the client sent them. */
export function approvalIn(params: unknown): unknown {
  return memberOf(memberOf(params, '_meta'), approvalName);
}

/** What the guard is given as approval. Anything but a text is one that cannot be read. */
export function approvalOf(
  { params }: JsonRpcRequest,
  { approval = approvalIn(params) }: McpSurroundings,
): string | undefined {
  if (approval === undefined) return undefined;
  return typeof approval === 'string' ? approval : '';
}

/** Whether the capabilities of a client have elicitation by URL. */
export function opensPages(capabilities: unknown): boolean {
  return memberOf(memberOf(capabilities, 'elicitation'), 'url') !== undefined;
}

/** The capabilities that a request of revision 2026-07-28 states, or what was cut out of it. */
export function capabilitiesIn(meta: unknown): unknown {
  return memberOf(meta, 'io.modelcontextprotocol/clientCapabilities');
}
