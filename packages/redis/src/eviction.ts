/** Lua: the policy by which this server evicts keys, or nothing if it evicts none. */
export const evictionPolicy = `
local function evictionPolicy()
  local memory = redis.call('INFO', 'memory')
  local policy = string.match(memory, 'maxmemory_policy:([%w-]+)')
  if policy == 'noeviction' or string.match(memory, '\\nmaxmemory:(%d+)') == '0' then return nil end
  return policy or 'unknown'
end
`;

/** `harm`: what an evicted key does. */
export function evicting(policy: unknown, harm: string): string {
  return (
    `this Redis evicts keys when its memory is full (maxmemory-policy ${String(policy)}), and ${harm}. ` +
    "Set 'maxmemory-policy noeviction', in redis.conf or in the parameters of the hosted service."
  );
}
