--[[
Removes the entries of connections under a lease; those that are not there are passed over.

KEYS[1] set: leases with entries in the channel
KEYS[2] hash: user → connections, over all leases
KEYS[3] hash: connection → client as JSON, of this lease
ARGV[1] the lease
ARGV[2…] connections

Reply: 1
]]
for index = 2, #ARGV do
  local client = redis.call('HGET', KEYS[3], ARGV[index])
  if client then
    redis.call('HDEL', KEYS[3], ARGV[index])
    count(KEYS[2], client, -1)
  end
end
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end
return 1
