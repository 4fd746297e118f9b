export type { IoRedisClient, NodeRedisClient, RedisClient } from './client.js';
export { beginRedisAgents, redisAgents, type RedisAgentsOptions } from './redis-agents.js';
export { redisReplay, type RedisReplayOptions } from './redis-replay.js';
export { beginRedisRevocations, redisRevocations, type RedisRevocationsOptions } from './redis-revocations.js';
