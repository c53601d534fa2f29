--[[
The generation of this server's data: a number that grows whenever the server may have lost what it had confirmed, the
same for every node that asks.

KEYS[1] hash: i what identified the data last, g the generation
ARGV[1] what identifies the data now

Reply: the generation
]]
local known = redis.call('HMGET', KEYS[1], 'i', 'g')
if known[1] == ARGV[1] then return tonumber(known[2]) end
-- By the clock, since the last number may be among what was lost.
local time = redis.call('TIME')
local generation = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(known[2] or 0) + 1)
redis.call('HSET', KEYS[1], 'i', ARGV[1], 'g', string.format('%.0f', generation))
return generation
