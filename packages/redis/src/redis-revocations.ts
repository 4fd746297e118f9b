import { randomUUID } from 'node:crypto';
import { checkOptionNames, ConfigError, errorMessage } from '@countersign/common';
import {
  checkRevocationOptions,
  openSharedRevocations,
  type RevocationEntry,
  type RevocationFeed,
  type RevocationWrite,
  type SharedRevocations,
  type SharedRevocationsOptions,
} from '@countersign/stores';
import type { RedisClient } from './client.js';
import { readPrefix } from './prefix.js';
import { subscribe } from './subscribe.js';
import { changeScriptOf, type Script, scriptOf } from './script.js';
import { type RunScript, scriptsOf } from './scripts.js';

export interface RedisRevocationsOptions extends SharedRevocationsOptions {
  /** What the names of keys begin with. Default `countersign`. */
  readonly prefix?: string;
}

const pageLength = 5000;

/**
 * `KEYS[1]`: name to end. `KEYS[2]`: name to version. The name `!` has the newest mark and its version, `!…` is the mark of
 * an older write. `KEYS[1]` has `!unfinished` while the list is not whole. Values: the version from which to read, the mark of the write after which that is, or nothing, the name
 * after which to read, or nothing, and the length of a page. If that name has another version now, its version is read
 * from the start.
 */
const readScript: Script = scriptOf(`
local newest = redis.call('ZSCORE', KEYS[2], '!')
local mark = redis.call('HGET', KEYS[1], '!')
if not newest or not mark then return { 'lost' } end
if ARGV[2] ~= '' and not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return { 'lost' } end
local start
if ARGV[3] ~= '' and tonumber(redis.call('ZSCORE', KEYS[2], ARGV[3]) or nil) == tonumber(ARGV[1]) then
  start = redis.call('ZRANK', KEYS[2], ARGV[3]) + 1
else
  start = redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. ARGV[1])
end
local page = redis.call('ZRANGE', KEYS[2], start, start + ARGV[4] - 1)
local unfinished = redis.call('HGET', KEYS[1], '!unfinished') or ''
local reply = { 'read', newest, mark, unfinished, '', '' }
if #page == tonumber(ARGV[4]) then
  reply[5] = page[#page]
  reply[6] = redis.call('ZSCORE', KEYS[2], page[#page])
end
for _, name in ipairs(page) do
  if string.sub(name, 1, 1) ~= '!' then
    local value = redis.call('HGET', KEYS[1], name)
    if not value then return { 'lost' } end
    reply[#reply + 1] = name
    reply[#reply + 1] = value
  end
end
return reply
`);

/**
 * `KEYS[3]`: name to the second of its removal. Values: the mark of this write; `begin`, `write` or `back`; the mark of the
 * write after which it comes, or nothing; `begins` or `ends` of pages that write back, or nothing; then name and end of each
 * entry. An end is a second, `never`, or `back` for what was taken back.
 */
const writeScript: Script = changeScriptOf(`
local held = redis.call('ZSCORE', KEYS[2], '!')
local last = redis.call('HGET', KEYS[1], '!')
local unfinished = redis.call('HGET', KEYS[1], '!unfinished')
if ARGV[2] == 'begin' then
  if held then return { 'kept' } end
elseif ARGV[3] == '' then
  if held and last then return { 'lost' } end
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
  held, last = false, false
elseif not held or not last or not redis.call('ZSCORE', KEYS[2], ARGV[3]) then
  return { 'lost' }
elseif ARGV[2] == 'write' and unfinished then
  return { 'lost' }
end
local version = (tonumber(held or nil) or -1) + 1
local now = tonumber(redis.call('TIME')[1])
if ARGV[4] == 'begins' then redis.call('HSET', KEYS[1], '!unfinished', 'true') end
if ARGV[4] == 'ends' then redis.call('HDEL', KEYS[1], '!unfinished') end
if last then redis.call('ZADD', KEYS[3], now + 86400, last) end
redis.call('HSET', KEYS[1], '!', ARGV[1])
redis.call('ZADD', KEYS[2], version, '!', version, ARGV[1])
for i = 5, #ARGV, 2 do
  local name, till = ARGV[i], ARGV[i + 1]
  local before = redis.call('HGET', KEYS[1], name)
  if till ~= 'back' and before and before ~= 'back' then
    if before == 'never' then till = 'never' end
    if till ~= 'never' then till = string.format('%d', math.max(tonumber(till), tonumber(before))) end
  end
  redis.call('HSET', KEYS[1], name, till)
  redis.call('ZADD', KEYS[2], version, name)
  if till == 'never' then
    redis.call('ZREM', KEYS[3], name)
  else
    redis.call('ZADD', KEYS[3], (till == 'back' and now or tonumber(till)) + 86400, name)
  end
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
  redis.call('ZREM', KEYS[3], name)
end
redis.call('PUBLISH', KEYS[1], version)
return { 'written', version }
`);

/**
 * Revocations in Redis 6.2 or newer, or Valkey, for all processes. A process polls twice a second, and subscribes to
 * notices with a connection of its own. If Redis loses revocations, the running processes write back those that they know;
 * one that starts on an emptied Redis stops. If none runs, they are lost: have Redis save them (`appendonly yes`).
 *
 * @throws ConfigError if Redis cannot be used, or `beginRedisRevocations` was never called for it.
 *
 * @example
 * const revocations = await redisRevocations(client); // createGuard({ …, revocations })
 * await revocations.revoke({ agent: 'agent-1' });
 */
export async function redisRevocations(
  client: RedisClient,
  options: RedisRevocationsOptions = {},
): Promise<SharedRevocations> {
  const owner = 'redisRevocations';
  checkRevocationOptions(owner, options, ['prefix']);
  const { prefix, ...others } = options;
  const name = readPrefix(owner, prefix);
  return await openSharedRevocations(owner, feedIn(client, scriptsOf(owner, client), name), {
    ...others,
    hintIfEmpty:
      'there are no revocations, not even an empty list, in this Redis, in this database of it, under this prefix. If ' +
      'your API runs, it uses another one: check the URL and the prefix. If this Redis was emptied, write back what was ' +
      "revoked. Then, as for a new one, call beginRedisRevocations(client) once, or 'countersign revocations begin'.",
  });
}

/**
 * Begins the list of revocations in a new Redis, once. It is no part of a start, where it would turn the loss of all
 * revocations into an empty list.
 *
 * @returns false if it was begun before; nothing is changed then.
 */
export async function beginRedisRevocations(
  client: RedisClient,
  options: Pick<RedisRevocationsOptions, 'prefix'> = {},
): Promise<boolean> {
  const owner = 'beginRedisRevocations';
  checkOptionNames(owner, options, ['prefix']);
  const run = scriptsOf(owner, client);
  try {
    const reply = await run(writeScript, keysOf(readPrefix(owner, options.prefix)), [newMark(), 'begin', '', 'ends']);
    return Array.isArray(reply) && reply[0] === 'written';
  } catch (error) {
    throw new ConfigError(`${owner}: Redis cannot be used: ${errorMessage(error)}`);
  }
}

function keysOf(prefix: string): readonly string[] {
  return ['revocations', 'revocation-versions', 'revocation-ends'].map((name) => `{${prefix}}:${name}`);
}

function newMark(): string {
  return `!${randomUUID()}`;
}

function feedIn(client: RedisClient, run: RunScript, prefix: string): RevocationFeed {
  const keys = keysOf(prefix);
  const write = async (
    entries: readonly RevocationEntry[],
    ...place: readonly string[]
  ): Promise<RevocationWrite | undefined> => {
    const values = entries.flatMap(({ name, until, inForce }) => [name, inForce ? `${until ?? 'never'}` : 'back']);
    const mark = newMark();
    const reply = await run(writeScript, keys, [mark, ...place, ...values]);
    const [result, version]: readonly unknown[] = Array.isArray(reply) ? reply : [];
    return result === 'written' ? { version: Number(version), mark } : undefined;
  };
  return {
    async read(after, from = { version: (after?.version ?? -1) + 1, name: '' }) {
      const values = [`${from.version}`, after?.mark ?? '', from.name, `${pageLength}`];
      const reply = await run(readScript, keys.slice(0, 2), values);
      const [result, newest, mark, unfinished, name, version, ...pairs]: readonly unknown[] = Array.isArray(reply)
        ? reply
        : [];
      if (result === 'lost') return undefined;
      if (result !== 'read' || !Number.isSafeInteger(Number(newest))) throw new TypeError('no list of revocations');
      const next = name === '' ? undefined : { name: String(name), version: Number(version) };
      const write = { version: Number(newest), mark: String(mark) };
      return { newest: write, isWhole: unfinished === '', entries: entriesIn(pairs.map(String)), next };
    },
    write: async (entries, known) => await write(entries, 'write', known.mark, ''),
    writeBack: async ({ entries, after, begins, ends }) =>
      await write(entries, 'back', after?.mark ?? '', begins ? 'begins' : ends ? 'ends' : ''),
    watch: (listener) => subscribe(client, keys[0] ?? '', listener),
  };
}

function entriesIn(pairs: readonly string[]): readonly RevocationEntry[] {
  return Array.from({ length: pairs.length / 2 }, (_, index) => {
    const end = pairs[2 * index + 1] ?? '';
    const until = end === 'never' || end === 'back' ? undefined : Number(end);
    if (Number.isNaN(until)) throw new TypeError('an entry is no revocation');
    return { name: pairs[2 * index] ?? '', until, inForce: end !== 'back' };
  });
}
