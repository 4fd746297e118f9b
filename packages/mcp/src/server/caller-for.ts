import type { Caller, Guard } from '@countersign/core';
import { callerOfContext, type McpContext } from './identity.js';
import { reportOnce } from './report-once.js';

interface CallerParts {
  readonly guard: Guard;
  /** Whether the server is connected to a transport of HTTP, and who sent the request that is being read there. */
  readonly session: { readonly isHttp: boolean; readonly sender: Caller | undefined };
  /** Who calls over a transport without HTTP. */
  readonly local: Caller | undefined;
}

/**
 * Who sent a message. Over HTTP a missing caller is a fault in how the server is mounted: it must not become the local one.
 *
 * @param context undefined for a notification of SDK 1, which does not say who sent it.
 */
export function callerFor(
  context: (McpContext & { readonly requestInfo?: unknown; readonly request?: unknown }) | undefined,
  { guard, session, local }: CallerParts,
): Caller | undefined {
  const caller = context === undefined ? session.sender : callerOfContext(context);
  if (caller !== undefined) return caller;
  const { http, requestInfo, request } = context ?? {};
  const isHttp = session.isHttp || [http, requestInfo, request].some((part) => part !== undefined);
  if (isHttp) reportNobody(guard);
  return isHttp ? undefined : local;
}

/** Over HTTP, somebody sent a request without a verified caller. */
export function reportNobody(guard: Guard): void {
  reportOnce(guard, 'a request of MCP came without a verified caller: mount agentAuth and mcpBridge before it');
}
