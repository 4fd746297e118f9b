import { isIoRedis, type RedisClient } from './client.js';

/** What both clients have, beside the methods of `RedisClient`; the wrapper of an application may lack it. */
export interface Duplicate {
  duplicate?(...overrides: unknown[]): Duplicate;
  on(event: string, listener: (...given: unknown[]) => void): unknown;
  connect(): Promise<unknown>;
  /** redis. */
  readonly isOpen?: boolean;
  /** ioredis. */
  readonly status?: string;
  subscribe(channel: string, listener?: () => void): Promise<unknown>;
  /** ioredis. */
  disconnect?(): unknown;
  /** redis. */
  destroy?(): unknown;
}

/** A client with the settings of this one, not connected yet; undefined if it makes none, as the wrapper of an application. */
export function duplicateOf(client: RedisClient, overrides: object = {}): Duplicate | undefined {
  if (!canDuplicate(client)) return undefined;
  const source = client as unknown as Duplicate;
  try {
    const duplicate = isIoRedis(client) ? duplicateOfIoRedis(source, overrides) : source.duplicate?.();
    // The error of a lost connection would end the process; the client connects again by itself.
    duplicate?.on('error', () => {});
    return typeof duplicate?.connect === 'function' ? duplicate : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it makes duplicates, and says when it ends. */
export function canDuplicate(client: object): boolean {
  const { duplicate, on } = client as Partial<Duplicate>;
  return typeof duplicate === 'function' && typeof on === 'function';
}

function duplicateOfIoRedis(source: Duplicate, overrides: object): Duplicate | undefined {
  const options = { lazyConnect: true, ...overrides };
  const isCluster = 'isCluster' in source && source.isCluster === true;
  return isCluster ? source.duplicate?.([], options) : source.duplicate?.(options);
}

/** Whether it has ended for good: it connects no more by itself, and rejects each call. */
export function hasEnded({ isOpen, status }: Duplicate): boolean {
  return isOpen === false || status === 'end';
}

export function endDuplicate(duplicate: Duplicate): void {
  try {
    if (duplicate.destroy === undefined) duplicate.disconnect?.();
    else duplicate.destroy();
  } catch {
    // It was not connected.
  }
}
