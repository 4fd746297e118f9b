/** What is used of a client, or cluster client, of `redis`. Written out, so that an application needs no types of it. */
export interface NodeRedisClient {
  evalSha(digest: string, given: { keys: string[]; arguments: string[] }): Promise<unknown>;
  eval(script: string, given: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** What is used of a `Redis` or `Cluster` of `ioredis`. */
export interface IoRedisClient {
  evalsha(digest: string, keys: number, ...given: string[]): Promise<unknown>;
  eval(script: string, keys: number, ...given: string[]): Promise<unknown>;
}

export type RedisClient = NodeRedisClient | IoRedisClient;

export function isIoRedis(client: RedisClient): client is IoRedisClient {
  return typeof (client as Partial<IoRedisClient> | null)?.evalsha === 'function';
}
