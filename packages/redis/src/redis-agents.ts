import type { AgentsFromDatabaseOptions } from '@countersign/core';
import { type SharedAgents, sharedAgents } from '@countersign/stores';
import { type RedisClient, type Script, scriptOf, scriptsOf } from './client.js';
import { readPrefix } from './prefix.js';

export interface RedisAgentsOptions extends AgentsFromDatabaseOptions {
  /** What the names of keys begin with. Default `countersign`. */
  readonly prefix?: string;
}

/** `KEYS`: id to entry, thumbprint to id. Values: an id or a thumbprint, and which of the two it is. */
const findScript: Script = scriptOf(`
local id = ARGV[1]
if ARGV[2] == 'thumbprint' then id = redis.call('HGET', KEYS[2], id) end
return { id and redis.call('HGET', KEYS[1], id) or false }
`);

/** Values: an id, its entry or nothing, and its thumbprints. */
const putScript: Script = scriptOf(`
for i = 3, #ARGV do
  local holder = redis.call('HGET', KEYS[2], ARGV[i])
  if holder and holder ~= ARGV[1] then return 'taken' end
end
local held = redis.call('HGET', KEYS[3], ARGV[1])
for thumbprint in string.gmatch(held or '', '%S+') do redis.call('HDEL', KEYS[2], thumbprint) end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
  return 'removed'
end
for i = 3, #ARGV do redis.call('HSET', KEYS[2], ARGV[i], ARGV[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[1], table.concat(ARGV, ' ', 3))
return 'put'
`);

/**
 * The agents of all processes, in Redis. Each request asks for its agent, unless `cacheSeconds` is set. A Redis that loses
 * them knows no agent, so that all are refused: have it save them. The options are those of `agentsFromDatabase`.
 *
 * @throws ConfigError if the client sends commands again.
 *
 * @example
 * const agents = redisAgents(client); // createGuard({ …, agents })
 * await agents.put({ id: 'agent-1', publicKey, capabilities: ['repo:read'] });
 */
export function redisAgents(client: RedisClient, options: RedisAgentsOptions = {}): SharedAgents {
  const { prefix: given, ...others } = options;
  const prefix = readPrefix('redisAgents', given);
  const run = scriptsOf('redisAgents', client);
  const keys = ['agents', 'agent-keys', 'keys-of-agents'].map((name) => `{${prefix}}:${name}`);
  return sharedAgents(
    {
      async find({ thumbprint, id }) {
        const values = thumbprint === undefined ? [id, 'id'] : [thumbprint, 'thumbprint'];
        const reply = await run(findScript, keys.slice(0, 2), values);
        const [entry]: readonly unknown[] = Array.isArray(reply) ? reply : [];
        if (typeof entry !== 'string' && entry !== null)
          throw new TypeError('Redis gave an answer that was not asked for');
        return entry ?? undefined;
      },
      async put(id, entry, thumbprints) {
        if ((await run(putScript, keys, [id, entry, ...thumbprints])) === 'put') return;
        throw new Error(`another agent has a key of '${id}'`);
      },
      async remove(id) {
        await run(putScript, keys, [id, '']);
      },
    },
    others,
  );
}
