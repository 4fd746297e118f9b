import { type JsonRpcRequest, memberOf } from './json-rpc.js';

/** From the revision 2026-07-28 on each request says its version, and answers may be cached. */
export function isModernRequest({ params }: JsonRpcRequest): boolean {
  return typeof memberOf(memberOf(params, '_meta'), 'io.modelcontextprotocol/protocolVersion') === 'string';
}

export function traceparentOf({ params }: JsonRpcRequest): string | undefined {
  const given = memberOf(memberOf(params, '_meta'), 'traceparent');
  const isTraceparent = typeof given === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(given);
  return isTraceparent ? given : undefined;
}
