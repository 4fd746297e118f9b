import { evictionPolicy } from './eviction.js';
import { type Script, scriptOf } from './script.js';

/**
 * Reserves a name once. `KEYS[1]`: the epoch, since when this server has remembered everything. `KEYS[2]`: the live names
 * of one owner, by their end. Values: the name, and its lifetime in milliseconds.
 *
 * The epoch is beside the names and names the run of the server and the history of its data. It begins anew with a
 * restart, a promotion (also of a server that was a master before, in the same run), an emptied database, and when the
 * server was found to evict keys. Redis begins a new history also with its first replica.
 */
export const reserveScript: Script = scriptOf(`${evictionPolicy}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not run or not history then return { 'no_run', 0 } end
run = run .. ':' .. history
local epoch = redis.call('HMGET', KEYS[1], 'run', 'at', 'checked')
local checked = tonumber(epoch[3] or nil) or 0
if epoch[1] ~= run or now >= checked + 10000 or now < checked then
  local policy = evictionPolicy()
  if policy then
    redis.call('DEL', KEYS[1])
    return { 'evicting', 0, policy }
  end
  redis.call('HSET', KEYS[1], 'checked', now)
end
if epoch[1] ~= run then
  redis.call('HSET', KEYS[1], 'run', run, 'at', now)
  epoch[2] = now
end
local age = now - tonumber(epoch[2])
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 64)
if #old > 0 then redis.call('ZREM', KEYS[2], unpack(old)) end
local ends = redis.call('ZSCORE', KEYS[2], ARGV[1])
if ends and tonumber(ends) > now then return { 'replayed', age } end
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
return { 'reserved', age }
`);
