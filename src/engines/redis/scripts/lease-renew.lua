--[[
Takes out or renews a node's lease. One that has lapsed cannot be renewed: others may have acted on it.

KEYS[1] sorted set: leases by the time at which they end
ARGV[1] now, epoch milliseconds, or "" for the server's clock
ARGV[2] the lease
ARGV[3] milliseconds that it lives
ARGV[4] 1 for a new one, 0 to renew

Reply: 1, or 0 when it has lapsed or was lost
]]
local at = now(ARGV[1])
-- What ended is nobody's any more; without this a killed node's would stay for ever.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(at))
if ARGV[4] == '0' and not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], whole(at + ARGV[3]), ARGV[2])
return 1
