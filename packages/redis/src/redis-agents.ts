import { checkOptionNames, ConfigError, errorMessage } from '@countersign/common';
import type { AgentsFromDatabaseOptions } from '@countersign/core';
import { keyTaken, lostAgents, type SharedAgents, sharedAgents, SharedStoreUnavailable } from '@countersign/stores';
import type { RedisClient } from './client.js';
import { evicting, evictionPolicy } from './eviction.js';
import { readPrefix } from './prefix.js';
import { changeScriptOf, type Script, scriptOf } from './script.js';
import { scriptsOf } from './scripts.js';

export interface RedisAgentsOptions extends AgentsFromDatabaseOptions {
  /** What the names of keys begin with. Default `countersign`. */
  readonly prefix?: string;
}

/**
 * `KEYS[1]`: everything about the agents, so that no part of it can be lost alone. `!` is there once the list was begun,
 * `agent:ID` is an entry, `keys:ID` has the thumbprints of an agent, and `key:THUMBPRINT` the id of its agent. Values: an id
 * or a thumbprint, and which of the two it is.
 */
const findScript: Script = scriptOf(`
if not redis.call('HGET', KEYS[1], '!') then return { 'lost' } end
local id = ARGV[1]
if ARGV[2] == 'thumbprint' then
  id = redis.call('HGET', KEYS[1], 'key:' .. id)
  if not id then return { 'none' } end
end
local entry = redis.call('HGET', KEYS[1], 'agent:' .. id)
if entry then return { 'found', entry } end
return { ARGV[2] == 'thumbprint' and 'lost' or 'none' }
`);

/** Values: `begin`, `put` or `remove`, an id, its entry, and its thumbprints. */
const changeScript: Script = changeScriptOf(`${evictionPolicy}
local policy = ARGV[1] ~= 'remove' and evictionPolicy()
if policy then return { 'evicting', policy } end
local begun = redis.call('HGET', KEYS[1], '!')
if ARGV[1] == 'begin' then
  if begun then return { 'kept' } end
  redis.call('HSET', KEYS[1], '!', redis.call('TIME')[1])
  return { 'done' }
end
if not begun then return { 'lost' } end
for i = 4, #ARGV do
  local holder = redis.call('HGET', KEYS[1], 'key:' .. ARGV[i])
  if holder and holder ~= ARGV[2] then return { 'taken' } end
end
local held = redis.call('HGET', KEYS[1], 'keys:' .. ARGV[2])
for thumbprint in string.gmatch(held or '', '%S+') do redis.call('HDEL', KEYS[1], 'key:' .. thumbprint) end
if ARGV[1] == 'remove' then
  redis.call('HDEL', KEYS[1], 'agent:' .. ARGV[2], 'keys:' .. ARGV[2])
  return { 'done' }
end
for i = 4, #ARGV do redis.call('HSET', KEYS[1], 'key:' .. ARGV[i], ARGV[2]) end
redis.call('HSET', KEYS[1], 'agent:' .. ARGV[2], ARGV[3], 'keys:' .. ARGV[2], table.concat(ARGV, ' ', 4))
return { 'done' }
`);

/**
 * The agents of all processes, in Redis. Each request asks for its agent, unless `cacheSeconds` is set. A Redis that lost
 * them, or where `beginRedisAgents` was never called, is an outage (503), because an issuer may vouch for an unknown agent.
 * The options are those of `agentsFromDatabase`.
 *
 * @throws ConfigError if the client sends commands again.
 *
 * @example
 * await beginRedisAgents(client); // once for a new Redis
 * const agents = redisAgents(client); // createGuard({ …, agents })
 * await agents.put({ id: 'agent-1', publicKey, capabilities: ['repo:read'] });
 */
export function redisAgents(client: RedisClient, options: RedisAgentsOptions = {}): SharedAgents {
  const { prefix, ...others } = options;
  const owner = 'redisAgents';
  const keys = keysOf(owner, prefix);
  const run = scriptsOf(owner, client, options.timeoutSeconds);
  const change = async (...values: readonly string[]): Promise<void> => {
    const problem = problemOf(await run(changeScript, keys, values));
    if (problem !== undefined) throw new SharedStoreUnavailable(problem);
  };
  return sharedAgents(
    {
      async find({ thumbprint, id }) {
        const values = thumbprint === undefined ? [id, 'id'] : [thumbprint, 'thumbprint'];
        const reply = await run(findScript, keys, values);
        const [result, entry]: readonly unknown[] = Array.isArray(reply) ? reply : [];
        if (result === 'none') return undefined;
        if (result === 'found' && typeof entry === 'string') return entry;
        throw new SharedStoreUnavailable(problemOf([result]) ?? unexpected);
      },
      put: async (id, entry, thumbprints) => await change('put', id, entry, ...thumbprints),
      remove: async (id) => await change('remove', id),
    },
    others,
  );
}

/**
 * Begins the list of agents in a new Redis, once. It is no part of a start or of `put`, where it would turn the loss of
 * suspended agents into a list without them.
 *
 * @returns false if it was begun before; nothing is changed then.
 * @throws ConfigError if Redis cannot be used, or evicts keys.
 */
export async function beginRedisAgents(
  client: RedisClient,
  options: Pick<RedisAgentsOptions, 'prefix'> = {},
): Promise<boolean> {
  const owner = 'beginRedisAgents';
  checkOptionNames(owner, options, ['prefix']);
  const keys = keysOf(owner, options.prefix);
  const run = scriptsOf(owner, client);
  const reply = await run(changeScript, keys, ['begin']).catch((error: unknown) => {
    throw new ConfigError(`${owner}: Redis cannot be used: ${errorMessage(error)}`);
  });
  if (Array.isArray(reply) && reply[0] === 'kept') return false;
  const problem = problemOf(reply);
  if (problem !== undefined) throw new ConfigError(`${owner}: ${problem}`);
  return true;
}

function keysOf(owner: string, prefix: string | undefined): readonly string[] {
  return [`{${readPrefix(owner, prefix)}}:agents`];
}

const unexpected = 'Redis gave an answer that was not asked for';

function problemOf(reply: unknown): string | undefined {
  const [result, policy]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  if (result === 'done') return undefined;
  if (result === 'lost') return lostAgents('this Redis', 'beginRedisAgents(client)');
  if (result === 'taken') return keyTaken;
  return result === 'evicting' ? evicting(policy, 'would lose the agents') : unexpected;
}
