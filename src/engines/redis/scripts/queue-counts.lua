#!lua flags=allow-oom
-- How many jobs a queue has, as of one moment.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 time, see queue_time.
-- Reply: all jobs, those under a lease that has not ended.
-- O(log n).
local at = queue_time(ARGV[1])
return { redis.call('HLEN', KEYS[1]), redis.call('ZCOUNT', KEYS[4], '(' .. whole(at), '+inf') }
