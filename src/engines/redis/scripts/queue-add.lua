#!lua
-- Adds a job, unless the queue has one of its id.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 PUBLISH or SPUBLISH, 2 job id, 3 payload, 4 ms from now on before which it is not given out, may be negative, 5 time, see
--       queue_time, 6 jobs the queue may hold, 7 order key; absent: none.
-- Reply: 'added'; 'known': it has a job of the id; 'full': it holds as many as it may.
-- O(log n).
local id, payload, order_key = ARGV[2], ARGV[3], ARGV[7]
local at = queue_time(ARGV[5])
local not_before = math.max(0, math.min(at + tonumber(ARGV[4]), TIME_MAX))

if redis.call('HEXISTS', KEYS[1], id) == 1 then return 'known' end
local jobs = redis.call('HLEN', KEYS[1])
if jobs >= tonumber(ARGV[6]) then return 'full' end

-- Of a queue that was empty it may be about to expire.
if jobs == 0 then redis.call('PERSIST', KEYS[6]) end
local number = redis.call('HINCRBY', KEYS[6], 'number', 1)
local member = member_of(number, id)
write_job(id, { number, order_key or false, not_before, at, 0, false })
redis.call('HSET', KEYS[2], id, payload)
if order_key then
  local prefix = order_prefix(order_key)
  local first = first_of(prefix)
  redis.call('ZADD', KEYS[5], 0, prefix .. member)
  if first then return 'added' end
end
redis.call('ZADD', KEYS[3], whole(not_before), member)
wake(ARGV[1], not_before, not_before <= at)
return 'added'
