--[[
Adds or replaces the entry of a connection, under its node's lease.

KEYS[1] set: leases with entries in the channel
KEYS[2] hash: user → connections, over all leases
KEYS[3] hash: connection → client as JSON, of this lease
ARGV[1] the lease
ARGV[2] connection
ARGV[3] client as JSON
ARGV[4] milliseconds that entries outlive the last put, as garbage of nodes that are gone

Reply: 1
]]
-- With the first entry of each lease, what others have left is looked at: nobody else may for long.
if redis.call('EXISTS', KEYS[2], KEYS[3]) < 2 then forgetDropped(KEYS[1], KEYS[2]) end
local old = redis.call('HGET', KEYS[3], ARGV[2])
if old ~= ARGV[3] then
  if old then count(KEYS[2], old, -1) end
  count(KEYS[2], ARGV[3], 1)
  redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
end
redis.call('SADD', KEYS[1], ARGV[1])
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end
return 1
