#!lua
-- Puts a record if its version is the expected one, and forgets a few of those that expired long ago.
-- KEYS: 1 record (hash: value, version, expires), 2 index (sorted set of the app's keys, all scores 0),
--       3 expiry (sorted set: key -> epoch ms), 4 last version (string).
-- ARGV: 1 key, 2 value, 3 now, epoch ms, 4 expected version, 0 for no record, or '' for any, 5 epoch ms up to which
--       expired records are forgotten, 6 how many at the most, 7 epoch ms at which it expires and 8 ms after which the
--       server may drop it; both absent: never.
-- Reply: the new version as text, or false when the version was not the expected one.
-- O(log n).
local key, now = ARGV[1], tonumber(ARGV[3])
local known = redis.call('HMGET', KEYS[1], 'version', 'expires')
local version = known[1] or '0'
if known[2] and tonumber(known[2]) <= now then version = '0' end
if ARGV[4] ~= '' and ARGV[4] ~= version then return false end

-- Never below what the clock says, so that versions do not begin anew on a server that lost its data.
local last = tonumber(redis.call('GET', KEYS[4]) or 0)
local new_version = string.format('%.0f', math.max(last + 1, now * 1000))
redis.call('SET', KEYS[4], new_version)
redis.call('HSET', KEYS[1], 'value', ARGV[2], 'version', new_version)
redis.call('ZADD', KEYS[2], 0, key)
if ARGV[7] then
  redis.call('HSET', KEYS[1], 'expires', ARGV[7])
  redis.call('PEXPIRE', KEYS[1], ARGV[8])
  redis.call('ZADD', KEYS[3], ARGV[7], key)
else
  redis.call('HDEL', KEYS[1], 'expires')
  redis.call('PERSIST', KEYS[1])
  redis.call('ZREM', KEYS[3], key)
end

-- The server drops the records themselves.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[5], 'LIMIT', 0, ARGV[6])) do
  redis.call('ZREM', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
return new_version
