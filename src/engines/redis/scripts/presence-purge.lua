--[[
Removes entries of a lease that has ended, as many at a time as do not hold up the server.

KEYS[1] set: leases with entries in the channel
KEYS[2] hash: user → connections, over all leases
KEYS[3] hash: connection → client as JSON, of this lease
ARGV[1] the lease
ARGV[2] entries at the most

Reply: entries that are left
]]
local entries = redis.call('HRANDFIELD', KEYS[3], ARGV[2], 'WITHVALUES')
for index = 1, #entries, 2 do
  redis.call('HDEL', KEYS[3], entries[index])
  count(KEYS[2], entries[index + 1], -1)
end
local left = redis.call('HLEN', KEYS[3])
if #entries == 0 then forgetDropped(KEYS[1], KEYS[2])
elseif left == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end
return left
