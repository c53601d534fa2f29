--[[
The leases that have not ended.

KEYS[1] sorted set: leases by the time at which they end
ARGV[1] now, epoch milliseconds, or "" for the server's clock

Reply: {lease, …}
]]
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(now(ARGV[1])), '+inf')
