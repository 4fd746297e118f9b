export type { IoRedisClient, NodeRedisClient, RedisClient } from './client.js';
export { redisApprovalUses, type RedisOneTimeOptions, redisReplay } from './redis-replay.js';
export { beginRedisRevocations, redisRevocations, type RedisRevocationsOptions } from './redis-revocations.js';
