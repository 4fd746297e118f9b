import { AsyncLocalStorage } from 'node:async_hooks';

/** The low-level server of SDK version 2, as far as its entries ask it about streams. */
interface Advertising {
  readonly transport?: unknown;
  getCapabilities?: () => unknown;
}

const decided = new AsyncLocalStorage<true>();

/** Runs a handler with a stream that policy permitted. */
export function withDecidedStream<Result>(run: () => Result): Result {
  return decided.run(true, run);
}

/**
 * SDK version 2 opens `subscriptions/listen` before any server is connected, after it has asked the new server for its
 * capabilities. Unless the stream was decided, the server then offers no streams of resources: many frameworks create
 * the handler by themselves, so that nothing of ours can decide there.
 */
export function withholdStreams(server: Advertising): void {
  const { getCapabilities } = server;
  if (getCapabilities === undefined) return;
  server.getCapabilities = () => {
    const capabilities = getCapabilities.call(server);
    return server.transport === undefined && decided.getStore() === undefined
      ? withoutSubscriptions(capabilities)
      : capabilities;
  };
}

function withoutSubscriptions(capabilities: unknown): unknown {
  if (typeof capabilities !== 'object' || capabilities === null) return capabilities;
  const resources: unknown = 'resources' in capabilities ? capabilities.resources : undefined;
  if (typeof resources !== 'object' || resources === null) return capabilities;
  return { ...capabilities, resources: { ...resources, subscribe: false } };
}
