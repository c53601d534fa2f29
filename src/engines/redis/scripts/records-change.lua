-- Puts, deletes and compares records in one step, if every version is the expected one; and forgets a few of those that expired
-- long ago. Behind a line with the script's flags.
-- KEYS: 1 index (sorted set of the app's keys, all scores 0), 2 expiry (sorted set: key -> epoch ms), 3 last version (string),
--       then one record (hash: value, version, expires) for each change, all different.
-- ARGV: 1 now, epoch ms, 2 epoch ms up to which expired records are forgotten, 3 how many at the most, then for each change six:
--       key, 'put', 'delete' or 'compare', expected version, 0 for no record, or '' for any, value, epoch ms at which it expires
--       and ms after which the server may drop it, both '' for never.
-- Reply: for each change the new version as text, 1 when a record was deleted, or 0; false when a version was not the expected one.
-- O(changes * log n).
local now = tonumber(ARGV[1])
local versions = {}
for i = 4, #KEYS do
  local known = redis.call('HMGET', KEYS[i], 'version', 'expires')
  local version = known[1] or '0'
  if known[2] and tonumber(known[2]) <= now then version = '0' end
  local expected = ARGV[(i - 4) * 6 + 6]
  if expected ~= '' and expected ~= version then return false end
  versions[i] = version
end

local last
local reply = {}
for i = 4, #KEYS do
  local at = (i - 4) * 6 + 4
  local key, change = ARGV[at], ARGV[at + 1]
  local done = 0
  if change == 'put' then
    local expires = ARGV[at + 4]
    -- Never below what the clock says, so that versions do not begin anew on a server that lost its data.
    last = math.max((last or tonumber(redis.call('GET', KEYS[3]) or 0)) + 1, now * 1000)
    done = string.format('%.0f', last)
    redis.call('HSET', KEYS[i], 'value', ARGV[at + 3], 'version', done)
    redis.call('ZADD', KEYS[1], 0, key)
    if expires ~= '' then
      redis.call('HSET', KEYS[i], 'expires', expires)
      redis.call('PEXPIRE', KEYS[i], ARGV[at + 5])
      redis.call('ZADD', KEYS[2], expires, key)
    else
      redis.call('HDEL', KEYS[i], 'expires')
      redis.call('PERSIST', KEYS[i])
      redis.call('ZREM', KEYS[2], key)
    end
  elseif change == 'delete' and versions[i] ~= '0' then
    done = 1
    redis.call('DEL', KEYS[i])
    redis.call('ZREM', KEYS[1], key)
    redis.call('ZREM', KEYS[2], key)
  end
  reply[#reply + 1] = done
end
if last then redis.call('SET', KEYS[3], string.format('%.0f', last)) end

-- The server drops the records themselves.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
return reply
