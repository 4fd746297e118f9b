import type { Caller, Guard } from '@countersign/core';
import type { McpDecisions } from '../decide/decisions.js';
import { type Denial, nobody } from '../decide/denial.js';
import { type JsonRpcRequest, memberOf } from '../decide/json-rpc.js';
import { isPlainNotification } from '../decide/notifications.js';
import { relatedTasks } from '../decide/task-owners.js';
import type { McpContext } from './identity.js';

/** Where the low-level server of either SDK takes messages from its transport. */
export interface InboundServer {
  _onrequest: (request: JsonRpcRequest, extra?: McpContext, ...rest: unknown[]) => unknown;
  _onnotification: (notification: JsonRpcRequest, extra?: McpContext, ...rest: unknown[]) => unknown;
  readonly transport?: unknown;
}

interface InboundParts {
  readonly guard: Guard;
  readonly decisions: McpDecisions;
  readonly callerFor: (context: McpContext | undefined) => Caller | undefined;
}

/**
 * Decides what the SDK does before any handler: notifications, which have no answer, and requests that name a task. SDK 1
 * puts even its refusal of such a request into the queue of the task, where it answers what its owner was asked.
 */
export function guardInbound(server: InboundServer, { guard, decisions, callerFor }: InboundParts): void {
  const { _onrequest: takeRequest, _onnotification: takeNotification } = server;

  server._onrequest = (request, extra, ...rest) => {
    const pass = (): unknown => takeRequest.call(server, request, extra, ...rest);
    if (guard.mode === 'observe' || relatedTasks(request.params).length === 0) return pass();
    const caller = callerFor(extra);
    const { transport } = server;
    if (caller === undefined) return answer(transport, request, nobody);
    return decisions
      .refuseForeignTask(caller, request)
      .then((denial) => (denial === undefined ? pass() : answer(transport, request, denial)));
  };

  server._onnotification = (notification, extra, ...rest) => {
    const pass = (): unknown => takeNotification.call(server, notification, extra, ...rest);
    // At once: a cancellation must not be overtaken.
    if (isPlainNotification(notification)) return pass();
    const caller = callerFor(extra);
    if (caller === undefined) return guard.mode === 'observe' ? pass() : undefined;
    return decisions
      .refuseNotification(caller, notification)
      .then((denial) => (denial === undefined ? pass() : undefined));
  };
}

async function answer(transport: unknown, request: JsonRpcRequest, { error }: Denial): Promise<void> {
  const message = { jsonrpc: '2.0', id: memberOf(request, 'id'), error };
  try {
    if (isSending(transport)) await transport.send(message);
  } catch {
    // The client has gone.
  }
}

function isSending(transport: unknown): transport is { send: (message: object) => Promise<void> } {
  return typeof transport === 'object' && transport !== null && 'send' in transport;
}
