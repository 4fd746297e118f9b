import { AsyncLocalStorage } from 'node:async_hooks';
import type { Guard } from '@countersign/core';
import { memberOf } from '../decide/json-rpc.js';
import { reportOnce } from './report-once.js';

/** Whether a guarded server was connected while a request was served. */
const serving = new AsyncLocalStorage<{ isGuarded: boolean }>();

/** Notes that the request that is being served has reached a server with `guardTools`. */
export function noteGuarded(): void {
  const served = serving.getStore();
  if (served !== undefined) served.isGuarded = true;
}

/** What the handler of SDK 2 answers without a server. */
const answeredByHandler: readonly unknown[] = ['subscriptions/listen', 'server/discover', 'initialize', 'ping'];

/**
 * Serves a message, and finds servers that were created without `guardTools`: they decide nothing. Undefined: that was so,
 * and the answer must not go out.
 */
export async function servedGuarded(
  guard: Guard,
  message: unknown,
  serve: () => Promise<Response>,
): Promise<Response | undefined> {
  const served = { isGuarded: false };
  const response = await serving.run(served, serve);
  const asksServer = [message].flat().some((one) => {
    const method = memberOf(one, 'method');
    return typeof method === 'string' && memberOf(one, 'id') !== undefined && !answeredByHandler.includes(method);
  });
  if (served.isGuarded || !asksServer || !response.ok) return response;
  reportOnce(
    guard,
    'guardHandler served a server without guardTools, which decides nothing: guard it where it is created',
  );
  if (guard.mode === 'observe') return response;
  await response.body?.cancel().catch(() => {});
  return undefined;
}
