import type { JsonRpcRequest } from './json-rpc.js';
import { relatedTasks } from './task-owners.js';

/** The only notifications that a client sends. A server could take another one for a call that needs no answer. */
const known: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
]);

export function isKnownNotification({ method }: Pick<JsonRpcRequest, 'method'>): boolean {
  return known.has(method);
}

/** Whether there is nothing to decide about a notification. */
export function isPlainNotification(notification: JsonRpcRequest): boolean {
  return isKnownNotification(notification) && relatedTasks(notification.params).length === 0;
}
