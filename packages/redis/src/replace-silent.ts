import { SharedStoreUnavailable } from '@countersign/stores';
import type { RedisClient } from './client.js';
import { canDuplicate, type Duplicate, duplicateOf, endDuplicate, hasEnded } from './duplicate.js';

/** Events: a client has ended, one of `redis` has given up, a cluster of `redis` has ended. */
const ends = ['end', 'terminated', 'disconnect'] as const;

interface Waiting {
  readonly sentAt: number;
  readonly giveUp: () => void;
}

/**
 * Calls a client, until a call has had no answer for some seconds: its connection may have gone silent, which the kernel
 * notices after a quarter of an hour, and the client never. From then on a duplicate is called, and the client again if that
 * is silent too: it may answer where no new connection can be made. It is left as it is, since others may use it; when it
 * ends, so does the duplicate.
 */
export function replaceSilent<Client extends RedisClient>(
  client: Client,
  seconds: number,
): (call: (current: Client) => Promise<unknown>) => Promise<unknown> {
  // The wrapper of an application, which cannot be replaced.
  if (!canDuplicate(client)) return async (call) => await call(client);
  const waiting = new Set<Waiting>();
  let replacement: Duplicate | undefined;
  let isFollowed = false;
  let timer: NodeJS.Timeout | undefined;

  function watch(): void {
    const [oldest] = waiting;
    if (oldest === undefined || timer !== undefined) return;
    // Answers that came while this process was busy are read before an immediate.
    timer = setTimeout(() => setImmediate(check), oldest.sentAt + seconds * 1000 - performance.now());
    timer.unref();
  }

  function check(): void {
    timer = undefined;
    const [oldest] = waiting;
    if (oldest !== undefined && performance.now() - oldest.sentAt >= seconds * 1000) replace();
    watch();
  }

  function replace(): void {
    giveUpAll();
    if (!isFollowed) for (const event of ends) (client as unknown as Duplicate).on(event, end);
    isFollowed = true;
    if (replacement !== undefined) return end();
    const next = duplicateOf(client);
    replacement = next;
    if (next === undefined) return;
    // A client that is ended while it connects keeps the connection that it gets.
    const connect = async () => await next.connect().finally(() => next === replacement || endDuplicate(next));
    // A connection that cannot be made, or does not come to its first answer, is replaced as well.
    send(connect).catch(() => {});
  }

  /** The client itself is called again. If it has ended, it says so; if it is silent, it is replaced anew. */
  function end(): void {
    if (replacement !== undefined) endDuplicate(replacement);
    replacement = undefined;
    giveUpAll();
  }

  function giveUpAll(): void {
    const all = [...waiting];
    waiting.clear();
    for (const { giveUp } of all) giveUp();
  }

  async function send(call: () => Promise<unknown>): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      const giveUp = () => reject(new SharedStoreUnavailable(`Redis gave no answer for ${seconds} s`));
      const one = { sentAt: performance.now(), giveUp };
      const settle = () => waiting.delete(one);
      waiting.add(one);
      watch();
      call().finally(settle).then(resolve, reject);
    });
  }

  return async (call) => {
    const current = replacement;
    try {
      return await send(async () => await call((current ?? client) as Client));
    } catch (error) {
      if (current !== undefined && current === replacement && hasEnded(current)) end();
      throw error;
    }
  };
}
