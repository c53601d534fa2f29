#!lua flags=no-writes
-- How many jobs a queue has, as of one moment.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 now, epoch ms.
-- Reply: all jobs, those under a lease that has not ended.
-- O(log n).
return { redis.call('HLEN', KEYS[1]), redis.call('ZCOUNT', KEYS[4], '(' .. ARGV[1], '+inf') }
